"""The page, by Gradio: it loads nothing from a network and sends nothing to it."""

import os
import re
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import read_text
from ser.demo.answer import answer
from ser.infer.enrolment import can_enrol
from ser.infer.model import Model
from ser.infer.package import CARD

MAX_MEGABYTES = 50
KEPT_SECONDS = 600  # of uploaded files
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'"
)


class Policy:
    """Answers of an ASGI app, which forbid a browser to load anything from elsewhere."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes everything on, with the policy among the headers of answers."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                header = (b"content-security-policy", POLICY.encode())
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        await self.app(scope, receive, with_policy)


def card_of(model: Path) -> str:
    """The card of a package without what is for the hub; what goes for any model without one."""
    path = model / CARD
    if path.is_file():
        return re.sub(r"\A---\n.*?\n---\n", "", read_text(path), flags=re.S)
    return "## Use\n\n" + read_text(Path(__file__).parents[1] / "release" / "uses.md")


def serve(
    model: Model, card: str, host: str, port: int, max_minutes: float, block: bool = True
) -> str:
    """Serves the page until it is interrupted.

    Args:
        model: What answers.
        card: Markdown.
        host: Address to listen at.
        port: Port to listen at; 0 for any that is free.
        max_minutes: Of a recording.
        block: Whether to wait for Ctrl-C.

    Returns:
        The page's address.

    Raises:
        SerError: The port is taken.
    """
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
    for name in ("no_proxy", "NO_PROXY"):  # Gradio asks itself whether it is there
        os.environ[name] = ",".join(
            filter(None, (os.environ.get(name), "127.0.0.1,localhost", host))
        )
    import gradio
    from starlette.middleware import Middleware

    limits = (
        f"At most {max_minutes:g} minutes and {MAX_MEGABYTES} MB. What you upload or record "
        "stays on the machine that serves this page, and is deleted after "
        f"{KEPT_SECONDS // 60} minutes."
    )
    cache = (KEPT_SECONDS // 10, KEPT_SECONDS)
    with gradio.Blocks(title="ser", analytics_enabled=False, delete_cache=cache) as page:
        gradio.Markdown("# Speech emotion recognition\n\n" + limits)
        heard = gradio.Audio(
            sources=["upload", "microphone"],
            type="filepath",
            label="Recording",
            elem_id="heard",
            buttons=[],  # one of the usual ones uploads to the hub
        )
        inputs: list[Any] = [heard]
        if can_enrol(model):
            turns = gradio.File(
                file_count="multiple",
                type="filepath",
                label="Other recordings of the same person, which enrol the speaker",
                elem_id="turns",
            )
            inputs.append(turns)
        button = gradio.Button("Listen", variant="primary", elem_id="listen")
        said = gradio.HTML(elem_classes="answer", elem_id="said")
        with gradio.Accordion("Model card: what it was trained on, reached, and is not for"):
            gradio.Markdown(card)
        button.click(
            lambda path, turns=None: answer(model, path, 60 * max_minutes, turns or ()),
            inputs,
            said,
            api_visibility="private",
        )
    theme = gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port or None,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=f"{MAX_MEGABYTES}mb",
            css_paths=[Path(__file__).with_name("page.css")],
            theme=theme,
            footer_links=[],
            ssr_mode=False,
            app_kwargs={"middleware": [Middleware(Policy)]},
        )
    except OSError as error:
        raise SerError(
            f"--port {port}: not free at {host} ({error}); expected one that is; name another"
        ) from error
    if block:
        print(f"{address} (Ctrl-C ends it)", flush=True)
        page.block_thread()
    return str(address)
