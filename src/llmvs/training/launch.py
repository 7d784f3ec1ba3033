"""Ranks that torchrun or SLURM has started: how many there are, and whether the settings agree.

Lightning would raise, hang or train on a part of the videos where they do not, after the run's
folder is made: so this is checked first, and needs neither torch nor Lightning.
"""

import os

from llmvs.errors import UserError

NOT_PARALLEL = ("bash", "interactive")
"""Names of SLURM jobs in which somebody types commands: Lightning starts its ranks there itself."""
RANK = ("SLURM_NTASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
"""What tells one of several tasks its place; `srun --ntasks-per-node` sets all of them."""


def slurm_tasks() -> int | None:
    """Return how many tasks SLURM has started this program as; None outside SLURM.

    Raises:
        UserError: there are several, and SLURM's variables do not say which one this is.
    """
    value = os.environ.get("SLURM_NTASKS")
    if value is None or os.environ.get("SLURM_JOB_NAME") in NOT_PARALLEL:
        return None
    cure = "start it with srun --ntasks-per-node=N, or unset SLURM_NTASKS to run one process"
    if not value.isdecimal() or int(value) < 1:
        raise UserError(f"SLURM_NTASKS={value}: expected a number of tasks: {cure}")
    unset = [name for name in RANK if not os.environ.get(name, "").isdecimal()]
    if int(value) > 1 and unset:
        raise UserError(
            f"SLURM_NTASKS={value} without {', '.join(unset)}: SLURM's environment is half set:"
            f" {cure}"
        )
    return int(value)


def check_launch(devices: int, num_nodes: int) -> None:
    """Compare the settings with the ranks that torchrun or SLURM has started.

    Raises:
        UserError: another number of ranks; SLURM's environment is half set.
    """
    settings = f"devices={devices} num_nodes={num_nodes}"
    if "TORCHELASTIC_RUN_ID" in os.environ:
        ranks = os.environ.get("WORLD_SIZE", "")
        if ranks != str(devices * num_nodes):
            raise UserError(
                f"{settings}: torchrun has started {ranks} ranks: give as many devices as"
                " --nproc-per-node, and as many num_nodes as --nnodes"
            )
        return
    tasks = slurm_tasks()
    if tasks is not None and tasks != devices * num_nodes:
        raise UserError(
            f"{settings}: SLURM has started {tasks} task{'s' * (tasks > 1)}: give as many devices"
            " as srun's --ntasks-per-node, and as many num_nodes as --nodes"
        )


def refuse_ranks(num_nodes: int) -> None:
    """Refuse to share out several runs from each of several ranks.

    Raises:
        UserError: this process is one of several, or `num_nodes` asks for several machines.
    """
    if num_nodes > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1 or (slurm_tasks() or 1) > 1:
        raise UserError(
            "several runs are shared out over the devices of one machine: start one process, with"
            " devices=N and num_nodes=1 (on several machines give each other folds or seeds)"
        )
