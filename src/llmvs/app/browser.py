"""The app's page, made with Gradio: upload, wishes, progress, and the summary to watch and keep.

It talks to its own server alone. A policy that every answer carries keeps a browser from asking
anybody else, whatever the page's framework would like to fetch; of the framework's own addresses
those that the page needs are answered and no other, and none that makes the server fetch something.
"""

import html
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llmvs.app.jobs import LONGEST_ABOUT, MEGABYTE, Jobs, Wish
from llmvs.errors import UserError, require_package
from llmvs.video.container import SUFFIXES

if TYPE_CHECKING:
    import fastapi
    import gradio

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:;"
    " style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; frame-src 'self' data:"
    " blob:"
)
SANDBOX = "; sandbox allow-scripts allow-popups"
"""Added to the policy of a summary's page: a world of its own, with no way to the app around it."""
FILE = "/gradio_api/file="
ANSWERED = (
    "/assets/",
    "/static/",
    *(f"/gradio_api/{name}" for name in ("upload", "queue/", "heartbeat/", "info", "cancel")),
)
"""What the addresses begin with that are answered, besides files and `ANSWERED_AS_THEY_ARE`."""
ANSWERED_AS_THEY_ARE = (
    "/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/robots.txt",
    "/manifest.json",
    "/gradio_api/startup-events",
    "/gradio_api/reset",
)
MOST_WAITING = 16
"""Jobs that may wait for their turn; one is done at a time."""
INTRODUCTION = """# Summarize a video
Upload a video and get a shorter one with its best shots, and a page that shows why they were
chosen. It is worked on where this page comes from, nowhere else, and removed after an hour."""
METHODS = "visual: what is seen and heard; language: language models, which take longer"
WITHOUT_MODELS = (
    "visual: what is seen and heard; language: language models, of which none is at hand here"
)


def application(jobs: Jobs) -> "fastapi.FastAPI":
    """Make the app as an ASGI application.

    Raises:
        UserError: Gradio is not installed.
    """
    require_package("gradio", "app", "llmvs app")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # results are gone after an hour
    os.environ["GRADIO_TEMP_DIR"] = str(jobs.uploads)
    import fastapi
    import gradio

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    async def closed(request: Any, call_next: Any) -> Any:
        path = request.scope["path"]
        if not _is_answered(path, jobs.root):
            answer = fastapi.Response("not found", status_code=404, media_type="text/plain")
        else:
            answer = await call_next(request)
        inside = SANDBOX if path.startswith(FILE) else ""
        answer.headers["Content-Security-Policy"] = f"{POLICY}{inside}"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    app.middleware("http")(closed)
    font = ["system-ui", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    mounted: fastapi.FastAPI = gradio.mount_gradio_app(
        app,
        page(jobs),
        path="/",
        allowed_paths=[str(jobs.results)],
        max_file_size=round(jobs.limits.megabytes * MEGABYTE),
        ssr_mode=False,
        footer_links=[],
        theme=gradio.themes.Base(primary_hue="teal", font=font, font_mono=mono),
    )
    return mounted


def page(jobs: Jobs) -> "gradio.Blocks":
    """Make the page."""
    import gradio

    def work(
        upload: str | None,
        length: float,
        method: str,
        about: str | None,  # None of a field that is not shown
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio finds it
    ) -> tuple[Any, ...]:
        wish = Wish(f"{length:g}%", method, about or "")  # type: ignore[arg-type]
        try:
            made = jobs.run(upload, wish, lambda share, doing: progress(share, desc=doing))
        except UserError as error:
            return None, _refused(str(error)), gradio.update(value=None, visible=False), ""
        archive = gradio.update(value=str(made.archive), visible=True)
        return str(made.video), f"<p>{html.escape(made.line)}</p>", archive, _frame(made.page)

    with gradio.Blocks(title="Summarize a video", analytics_enabled=False) as blocks:
        gradio.Markdown(INTRODUCTION)
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                asked = _fields(jobs)
                button = gradio.Button("Summarize", variant="primary")
            with gradio.Column(scale=2, min_width=280):
                said = gradio.HTML()  # right below the button, on a phone
                video = gradio.Video(label="Summary", interactive=False)
                archive = gradio.File(label="All of it (zip)", interactive=False, visible=False)
        shown = gradio.HTML()
        button.click(
            work,
            asked,
            [video, said, archive, shown],
            concurrency_limit=1,
            api_visibility="private",
            scroll_to_output=True,
            show_progress_on=video,
        )
    blocks.queue(default_concurrency_limit=1, max_size=MOST_WAITING)
    return blocks


def _fields(jobs: Jobs) -> list[Any]:
    """The upload, and what is asked of it: length, method and wish."""
    import gradio

    async def own_files(place: str | Path | None) -> str | None:
        """In the place of a Gradio method that would download what a client names."""
        if place is not None and not Path(place).resolve().is_relative_to(jobs.uploads):
            raise gradio.Error("upload the video itself", print_exception=False)
        return None if place is None else str(place)

    upload = gradio.File(
        label=f"Video (at most {jobs.limits.megabytes:g} MB)",
        file_types=[*SUFFIXES],
        type="filepath",
    )
    upload.async_move_resource_to_block_cache = own_files
    length = gradio.Slider(1, 50, value=15, step=1, label="Length, % of the video")
    method = gradio.Radio(
        ["auto", "visual", "language"],
        value="auto",
        label="Scores",
        info=METHODS if jobs.language else WITHOUT_MODELS,
    )
    about = gradio.Textbox(
        label="What shall it show? (asked of language models)",
        placeholder="only the goals",
        max_length=LONGEST_ABOUT,
        visible=jobs.language,
    )
    return [upload, length, method, about]


def _is_answered(path: str, root: Path) -> bool:
    if path.startswith(FILE):  # its own files, and nothing that would have to be fetched
        return Path(os.path.abspath(path.removeprefix(FILE))).is_relative_to(root)  # noqa: PTH100
    return path in ANSWERED_AS_THEY_ARE or path.startswith(ANSWERED)


def _refused(line: str) -> str:
    return (
        '<p role="alert" style="overflow-wrap: anywhere"><strong>No summary.</strong>'
        f" {html.escape(line)}</p>"
    )


def _frame(page: Path) -> str:
    """Show a summary's page inside the app's, and lead to it."""
    address = html.escape(f"{FILE[1:]}{quote(str(page))}")  # relative: the app may stand below "/"
    return (
        f'<p><a href="{address}" target="_blank">Why these shots: the page by itself</a></p>'
        f'<iframe src="{address}" title="Why these shots" allow="fullscreen *"'
        ' style="width: 100%; height: max(90vh, 40rem); border: 0"></iframe>'
    )
