"""Steps per second of the scorer's engines, side by side on one machine with one random model.

    python benchmarks/llm_stage.py       # a Llama of 30 M parameters, any CPU, about 3 minutes
    python benchmarks/llm_stage.py --size 13B --device cuda --dtype float16 --steps 512 --budget
    16384

The engines take turns within every round, so that a machine that slows down slows them all; medians
over the rounds count. Lengths are the paper's: a prefix of 1,000 tokens, queries of 240 to 400,
answers of 5.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from figures import add_json, save
from transformers import AutoModelForCausalLM, LlamaConfig

from llmvs.extraction.engines import Engine, Naive, Prompt, Read, Reader
from llmvs.extraction.shared import Shared

SIZES = {
    "30M": LlamaConfig(
        vocab_size=4000,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
    ),
    "7B": LlamaConfig(
        vocab_size=32000,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
    ),
    "13B": LlamaConfig(
        vocab_size=32000,
        hidden_size=5120,
        intermediate_size=13824,
        num_hidden_layers=40,
        num_attention_heads=40,
    ),
}


def main() -> None:
    """Build the model, run the engines, print the table."""
    given = arguments()
    torch.set_num_threads(given.threads or torch.get_num_threads())
    model = build(given.size, given.device, getattr(torch, given.dtype))
    reader = Reader(model, 5, frozenset())
    prefix, prompts = texts(given.prefix, given.steps)
    makers: dict[str, Callable[[], Engine]] = {
        "naive": lambda: Naive(reader),
        "expand": lambda: Shared(reader, prefix, given.budget, "expand"),
        "cascade": lambda: Shared(reader, prefix, given.budget, "cascade"),
    }
    speeds: dict[str, list[float]] = {name: [] for name in makers}
    peak = dict.fromkeys(makers, 0.0)
    reads: dict[str, dict[int, Read]] = {}
    for _ in range(given.rounds):
        for name, make in makers.items():
            model.set_attn_implementation("sdpa")
            speed, peak[name], reads[name] = measure(
                make, prompts[: given.naive_steps] if name == "naive" else prompts, given.device
            )
            speeds[name].append(speed)
    parameters = sum(weight.numel() for weight in model.parameters())
    print(
        f"{parameters / 1e6:.0f} M parameters, {given.dtype}, {given.device},"
        f" {torch.get_num_threads()} CPU threads, prefix {len(prefix)}, {given.steps} steps, median"
        f" of {given.rounds} rounds"
    )
    print(f"{'engine':8} {'steps/s':>9} {'x naive':>8} {'largest difference':>19} {'peak GB':>8}")
    figures = {}
    for name in makers:
        difference = max(
            float((reads[name][i].q.float() - read.q.float()).abs().max())
            for i, read in reads["naive"].items()
        )
        ratio = median(
            ours / naive for ours, naive in zip(speeds[name], speeds["naive"], strict=True)
        )
        print(
            f"{name:8} {median(speeds[name]):9.3g} {ratio:8.2f} {difference:19.1e}"
            f" {peak[name]:8.1f}"
        )
        figures[name] = {
            "steps per second": median(speeds[name]),
            "times naive": ratio,
            "largest difference": difference,
            "peak GB": peak[name],
        }
    save(given.json, figures)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="30M")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument(
        "--threads", type=int, default=0, help="CPU threads (0: torch's own choice)"
    )
    parser.add_argument("--prefix", type=int, default=1000, help="tokens of the shared prefix")
    parser.add_argument("--steps", type=int, default=48, help="windows to score")
    parser.add_argument(
        "--naive-steps",
        type=int,
        default=12,
        help="of these, how many the naive engine scores (its rate does not change)",
    )
    parser.add_argument("--budget", type=int, default=4096, help="query tokens in a batch")
    parser.add_argument("--rounds", type=int, default=3)
    add_json(parser)
    return parser.parse_args()


def build(size: str, device: str, dtype: torch.dtype) -> Any:
    """A random model, its weights made on the device where they stay."""
    torch.manual_seed(0)
    with torch.device(device):
        return (
            AutoModelForCausalLM.from_config(SIZES[size], dtype=dtype).eval().requires_grad_(False)
        )


def texts(length: int, steps: int) -> tuple[list[int], list[Prompt]]:
    """A random prefix, and prompts that continue it with queries of 240 to 400 tokens."""
    generator = torch.Generator().manual_seed(0)

    def tokens(count: int) -> list[int]:
        return torch.randint(3, 4000, (count,), generator=generator).tolist()

    prefix = tokens(length)
    lengths = torch.randint(240, 401, (steps,), generator=generator).tolist()
    return prefix, [Prompt(prefix, tokens(count)) for count in lengths]


@torch.inference_mode()
def measure(
    make: Callable[[], Engine], prompts: list[Prompt], device: str
) -> tuple[float, float, dict[int, Read]]:
    """Steps per second (computing the prefix included), peak GPU memory in GB, what was read."""
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    start = time.perf_counter()
    reads = dict(make().read(prompts))
    speed = len(prompts) / (time.perf_counter() - start)
    return speed, torch.cuda.max_memory_allocated() / 1e9 if cuda else 0.0, reads


if __name__ == "__main__":
    main()
