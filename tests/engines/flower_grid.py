"""A Flower grid without sockets: the real apps, in this process, on nodes that may misbehave."""

from __future__ import annotations

import itertools

from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from rndcfl.flower.client_app import app

TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1


class LocalGrid(Grid):
    """Nodes 100, 101, ...

    Parameters
    ----------
    configs : one node configuration per node.
    run_config : of all.

    Attributes
    ----------
    tamper : ``(node, message, reply) -> reply, or an Error, or None for silence``.
    online : nodes that the server sees.
    asked : kinds of messages, in order, with their nodes.
    """

    def __init__(self, configs, run_config=None):
        self.contexts = {
            100 + i: Context(1, 100 + i, dict(config), RecordDict(), dict(run_config or {}))
            for i, config in enumerate(configs)
        }
        self.online = set(self.contexts)
        self.tamper = lambda node, message, reply: reply
        self.asked, self.replies, self.ids = [], {}, itertools.count()

    def set_run(self, run):
        pass

    run = None

    def create_message(self, *args, **kwargs):
        raise NotImplementedError

    def get_node_ids(self):
        return sorted(self.online)

    def push_messages(self, messages):
        return [self._deliver(message) for message in messages]

    def _deliver(self, message):
        node, id = message.metadata.dst_node_id, f"m{next(self.ids)}"
        message.metadata.__dict__["_message_id"] = id
        self.asked.append((message.metadata.message_type, node))
        try:
            reply = app(message, self.contexts[node])
        except Exception as problem:  # as Flower's client process does
            reply = Error(code=2, reason=str(problem))
        reply = self.tamper(node, message, reply)
        if isinstance(reply, Error):
            reply = Message(reply, reply_to=message)
        if reply is not None:
            self.replies[id] = reply
        return id

    def pull_messages(self, message_ids):
        return [self.replies.pop(id) for id in message_ids if id in self.replies]

    def send_and_receive(self, messages, *, timeout=None):
        raise NotImplementedError


def with_config(reply, json):
    """The same answer with other settings in it."""
    content = reply.content
    content["config"] = ConfigRecord({"json": json})
    return reply
