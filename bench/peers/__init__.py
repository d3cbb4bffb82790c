"""The contestants of the rendering lane, one module each."""

from __future__ import annotations

from bench.peers.base import Peer, World
from bench.peers.cdk8s import Cdk8s
from bench.peers.cue import Cue
from bench.peers.envsubst import Envsubst
from bench.peers.helm import Helm
from bench.peers.helmfile import Helmfile
from bench.peers.jsonnet import Jsonnet
from bench.peers.kapitan import Kapitan
from bench.peers.kustomize import Kustomize
from bench.peers.ours import Ours

PEERS: tuple[Peer, ...] = (Ours(), Envsubst(), Helm(), Helmfile(), Kustomize(), Jsonnet(), Cue(), Kapitan(), Cdk8s())

__all__ = ["PEERS", "Peer", "World"]
