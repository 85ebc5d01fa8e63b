"""A site on Flower: each message is answered by a :class:`~rndcfl.protocol.site.Site`.

A question may come to a fresh process: nothing is remembered between them but what the site keeps,
in Flower's ``Context.state``.
"""

from __future__ import annotations

from collections.abc import Callable

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from rndcfl.flower.records import letter_of, record_of
from rndcfl.protocol.letters import Letter
from rndcfl.protocol.site import Site

app = ClientApp()
__all__ = ["app"]


def _answer(
    method: Callable[[Site, Letter], Letter], message: Message, context: Context
) -> Message:
    site = Site(context.node_config, context.run_config, kept := letter_of(context.state))
    answer = method(site, letter_of(message.content))
    if site.kept is not kept:
        context.state = record_of(site.kept)
    return Message(record_of(answer), reply_to=message)


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    """Answer with :meth:`Site.hello`."""
    return _answer(Site.hello, message, context)


@app.query("predictor")
def predictor(message: Message, context: Context) -> Message:
    """Answer with :meth:`Site.predictor`."""
    return _answer(Site.predictor, message, context)


@app.query("row")
def row(message: Message, context: Context) -> Message:
    """Answer with :meth:`Site.row`."""
    return _answer(Site.row, message, context)


@app.train("federation")
def train(message: Message, context: Context) -> Message:
    """Answer with :meth:`Site.train`."""
    return _answer(Site.train, message, context)


@app.evaluate("federation")
def evaluate(message: Message, context: Context) -> Message:
    """Answer with :meth:`Site.evaluate`."""
    return _answer(Site.evaluate, message, context)
