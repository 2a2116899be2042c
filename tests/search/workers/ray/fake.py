"""As much of Ray as the pool uses, in this process: every call is done when it is made, and a test decides who dies."""

import itertools
from types import SimpleNamespace

from ray.exceptions import ActorDiedError, RayError, RayTaskError

OWN = "node-of-the-driver"


class Ref:
    def __init__(self, outcome):
        self.outcome = outcome

    def value(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Actor:
    """An object that lives on a node, or waits for room on one."""

    def __init__(self, ray, kind, arguments, options):
        self.ray, self.dead = ray, False
        pinned = getattr(options.get("scheduling_strategy"), "node_id", None)
        self.node = pinned or ray.place(self)
        self.object = kind(*arguments)
        self.object.actor = self

    @property
    def gone(self):
        return self.dead or (self.node is not None and self.node not in self.ray.nodes)

    def __getattr__(self, name):
        return SimpleNamespace(remote=lambda *arguments: self._call(name, arguments))

    def _call(self, name, arguments):
        if self.node is None:
            return Ref(None) if name == "warm_up" else self.ray.never
        if self.gone:
            return Ref(ActorDiedError())
        values = [argument.value() if isinstance(argument, Ref) else argument for argument in arguments]
        try:
            return Ref(getattr(self.object, name)(*values))
        except RayError as error:
            return Ref(error)
        except Exception as error:
            return Ref(RayTaskError(name, "", error).as_instanceof_cause())


class FakeRay:
    def __init__(self, nodes):
        self.nodes = dict(nodes)
        self.actors = []
        self.never = Ref(None)
        self.sent = []
        self.answered = []

    def place(self, actor):
        """Of the nodes, by name and number of workers that fit, one with room for another."""
        for node, room in self.nodes.items():
            taken = [other for other in self.actors if other.node == node and not other.gone and other.counted]
            if len(taken) < room:
                return node
        return None

    def remote(self, kind):
        def options(**options):
            def make(*arguments):
                actor = Actor(self, kind, arguments, options)
                actor.counted = options["num_cpus"] > 0
                self.actors.append(actor)
                return actor

            return SimpleNamespace(remote=make)

        return SimpleNamespace(options=options)

    def get(self, ref, timeout=None):
        return [one.value() for one in ref] if isinstance(ref, list) else ref.value()

    def put(self, value):
        return Ref(value)

    def wait(self, refs, num_returns=1, timeout=None):
        done = [ref for ref in refs if ref is not self.never][:num_returns]
        return done, [ref for ref in refs if ref not in done]

    def kill(self, actor):
        actor.dead = True

    def get_runtime_context(self):
        return SimpleNamespace(get_node_id=lambda: OWN)

    def living_nodes(self):
        numbers = itertools.count(1)
        return [{"NodeID": node, "NodeManagerAddress": f"10.0.0.{next(numbers)}"} for node in self.nodes]
