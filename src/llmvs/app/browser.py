"""The app's page, made with Gradio: upload, wishes, progress, and the summary to watch and keep.

It talks to its own server alone: a policy that every answer carries keeps a browser from asking
anybody else, whatever the page's framework would like to fetch.
"""

import html
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmvs.app.jobs import Jobs, Made, Wish
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
MOST_WAITING = 16
"""Jobs that may wait for their turn; one is done at a time."""
INTRODUCTION = """# Summarize a video
Upload a video and get a shorter one with its best shots, and a page that shows why they were
chosen. Nothing leaves this machine."""
PAGE_HEIGHT = 1400
"""Pixels."""


def application(jobs: Jobs) -> "fastapi.FastAPI":
    """Make the app as an ASGI application.

    Raises:
        UserError: Gradio is not installed.
    """
    require_package("gradio", "app", "llmvs app")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(jobs.root / "uploads")
    import fastapi
    import gradio

    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    async def closed(request: Any, call_next: Any) -> Any:
        answer = await call_next(request)
        answer.headers["Content-Security-Policy"] = POLICY
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
        allowed_paths=[str(jobs.root)],
        max_file_size=round(jobs.limits.megabytes * 1e6),
        ssr_mode=False,
        footer_links=[],
        theme=gradio.themes.Base(primary_hue="teal", font=font, font_mono=mono),
        show_error=True,
    )
    return mounted


def page(jobs: Jobs) -> "gradio.Blocks":
    """Make the page."""
    import gradio

    def work(
        upload: str | None,
        length: float,
        method: str,
        about: str,
        progress: gradio.Progress = gradio.Progress(),  # noqa: B008 - how Gradio finds it
    ) -> tuple[Any, ...]:
        wish = Wish(f"{length:g}%", method, about)  # type: ignore[arg-type]
        try:
            made = jobs.run(upload, wish, lambda share, doing: progress(share, desc=doing))
        except UserError as error:
            raise gradio.Error(str(error), duration=None, title="No summary") from error
        return (*_shown(made), gradio.update(visible=True))

    with gradio.Blocks(
        title="Summarize a video", analytics_enabled=False, delete_cache=(600, 3600)
    ) as blocks:
        gradio.Markdown(INTRODUCTION)
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                upload = gradio.File(
                    label=f"Video (at most {jobs.limits.megabytes:g} MB)",
                    file_types=[*SUFFIXES],
                    type="filepath",
                )
                length = gradio.Slider(1, 50, value=15, step=1, label="Length, % of the video")
                method = gradio.Radio(
                    ["auto", "visual", "language"],
                    value="auto",
                    label="Scores",
                    info="visual: what is seen and heard; language: language models, which take"
                    " longer",
                )
                about = gradio.Textbox(
                    label="What shall it show? (language models)", placeholder="only the goals"
                )
                button = gradio.Button("Summarize", variant="primary")
            with gradio.Column(scale=2, min_width=320):
                video = gradio.Video(label="Summary", interactive=False)
                said = gradio.Markdown()
                archive = gradio.File(label="All of it (zip)", interactive=False)
        with gradio.Group(visible=False) as details:
            shown = gradio.HTML(label="Why these shots")
        button.click(
            work,
            [upload, length, method, about],
            [video, said, archive, shown, details],
            concurrency_limit=1,
            api_visibility="private",
        )
    blocks.queue(default_concurrency_limit=1, max_size=MOST_WAITING)
    return blocks


def _shown(made: Made) -> tuple[str, str, str, str]:
    """Video, line, archive and page; the page stands in a frame of its own that reaches nothing."""
    content = html.escape(Path(made.page).read_text(encoding="utf-8"), quote=True)
    frame = (
        f'<iframe title="Why these shots" sandbox="allow-scripts" srcdoc="{content}"'
        f' style="width: 100%; height: {PAGE_HEIGHT}px; border: 0"></iframe>'
    )
    return str(made.video), made.line, str(made.archive), frame
