"""Serves the tools over standard input and output, as the Model Context Protocol has it (the package `mcp`, 2.3)."""

from typing import TYPE_CHECKING, Any, Final

from glideslope import __version__
from glideslope.domain.errors import GlideslopeError, Unavailable
from glideslope.interfaces.mcp.quoting import NOTE, quoted, written
from glideslope.interfaces.mcp.tools import TOOLS, Asking, called, refusal

if TYPE_CHECKING:
    import mcp_types as types

ABOUT: Final = (
    "Glideslope governs updates of machine-learning models in production. These tools read its record and draft plans; they "
    "change nothing. To propose, approve, stop or override, a person uses `glideslope` or its pages. " + NOTE
)


def serve(asking: Asking) -> None:
    """Serve until the other end leaves. Raises NotNarrowed, and what the server answers, before anything is served."""
    # Of an extra, and a second of work: who asks for help pays for neither.
    import anyio
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server

    asking.require_narrow()

    async def list_tools(_: object, __: object) -> "types.ListToolsResult":
        return listed()

    async def call_tool(_: object, params: "types.CallToolRequestParams") -> "types.CallToolResult":
        # A call waits for the server, and the protocol must go on meanwhile.
        return await anyio.to_thread.run_sync(answered, asking, params.name, params.arguments or {})

    async def run() -> None:
        server: Server[Any] = Server(
            "glideslope", version=__version__, instructions=ABOUT, on_list_tools=list_tools, on_call_tool=call_tool
        )
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    anyio.run(run)


def listed() -> "types.ListToolsResult":
    """Return all tools, each marked as one that reads."""
    import mcp_types as types  # as above

    hints = types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    return types.ListToolsResult(
        tools=[
            types.Tool(name=each.name, description=each.says, input_schema=each.schema(), annotations=hints)
            for each in TOOLS
        ]
    )


def answered(asking: Asking, name: str, arguments: dict[str, Any]) -> "types.CallToolResult":
    """Return what a tool found, or why not, quoted; the text says the same as what is structured."""
    import mcp_types as types  # as above

    failed = True
    try:
        found, failed = called(asking, name, arguments), False
    except GlideslopeError as error:
        found = refusal(error)
    except Exception as error:  # noqa: BLE001 - the boundary of the protocol: a tool that fails must say so, without internals
        found = refusal(Unavailable(f"The tool failed ({type(error).__name__})."))
    answer = quoted(found)
    return types.CallToolResult(
        content=[types.TextContent(text=written(answer))], structured_content=answer, is_error=failed
    )
