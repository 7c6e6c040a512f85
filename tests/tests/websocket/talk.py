"""The two ends of a WebSocket with Debian's python3-websockets: `talk.py serve`, and `talk.py ask URL`."""

import asyncio
import os
import sys

import websockets

MESSAGES = ["hello, Übermut ☂", "", b"\x00\xff\x00", os.urandom(1 << 20), "x" * (1 << 20)]


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def serve():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def ask(url):
    async with websockets.connect(url, max_size=None) as socket:
        for message in MESSAGES:
            await socket.send(message)
            assert await socket.recv() == message, "another message came back"
        await (await socket.ping())
        for number in range(1000):
            await socket.send(str(number))
        for number in range(1000):
            assert await socket.recv() == str(number), "out of order"
    print("closed with", socket.close_code)


asyncio.run(serve() if sys.argv[1] == "serve" else ask(sys.argv[2]))
