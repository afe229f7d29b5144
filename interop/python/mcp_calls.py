"""Calls every tool of an MCP server, and prints what it answered as one line of JSON.

Arguments: the address of the server, and the mode of the client: "auto", which speaks the newest version of the
protocol and falls back, or "legacy", which begins with "initialize".
"""

import asyncio
import json
import sys

from mcp import Client


async def main(url, mode):
    async with Client(url, mode=mode) as client:
        answers = {}

        async def call(tool, **arguments):
            # The client checks the result against the schema of the tool.
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, (tool, result.content)
            answers[tool] = result.structured_content
            return result.structured_content

        listed = await client.list_tools()
        services = (await call("get_services"))["services"]
        await call("get_span_names", service_name=services[0])
        trace = (await call("search_traces", service_name=services[0]))["traces"][0]["trace_id"]
        spans = (await call("get_trace_topology", trace_id=trace))["spans"][:20]
        await call("get_critical_path", trace_id=trace)
        await call("get_span_details", trace_id=trace, span_ids=[span["path"].split("/")[-1] for span in spans])
        await call("get_trace_errors", trace_id=trace)
        await call("get_service_dependencies")
        wrong = await client.call_tool("get_trace_topology", {"trace_id": "1"})
        return {
            "version": client.protocol_version,
            "server": client.server_info.name,
            "tools": sorted(tool.name for tool in listed.tools),
            "answers": answers,
            "wrong": [wrong.is_error, wrong.content[0].text],
        }


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
