"""Documents -> Features: cache, encoder pass and counting in one place. Knows nothing of labels and heads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from policies.rewards.backbone import DEFAULT_ENCODER, Backbone, load_backbone
from policies.rewards.cache import FeatureCache
from policies.rewards.documents import Document
from policies.rewards.features import FeatureReader, Features
from policies.rewards.lexical import Sources

_KEPT = 4096


class RewardEncoder:
    """Reads answers once. The transformer is loaded when the first answer comes that no cache holds.

    name: `minilm` (default), `smollm2`, a folder or a hub name. cache: folder of features on disk, or None.
    """

    def __init__(
        self,
        name: str = DEFAULT_ENCODER,
        *,
        device: str = "auto",
        cache: Path | None = None,
        backbone: Backbone | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self._backbone = backbone
        self._folder = cache
        self._cache: FeatureCache | None = None
        self._reader: FeatureReader | None = None
        self._kept: OrderedDict[str, Features] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def backbone(self) -> Backbone:
        """Raises PolicyError where it cannot be loaded."""
        if self._backbone is None:
            self._backbone = load_backbone(self.name, self.device)
        return self._backbone

    @property
    def fingerprint(self) -> str:
        """Equal for equal weights."""
        return self.backbone.fingerprint

    def features(
        self, documents: Sequence[Document], progress: Callable[[int, int], None] | None = None
    ) -> list[Features]:
        """Features in the order given; answers to one prompt share a pass. progress: documents done, of all."""
        with self._lock:
            found = {d.content: self._known(d) for d in documents}
            groups: dict[str, dict[str, Document]] = {}
            for document in documents:
                if found[document.content] is None:
                    groups.setdefault(document.group, {})[document.content] = document
            done = sum(f is not None for f in found.values())
            for group in groups.values():
                found.update(self._read(list(group.values())))
                done += len(group)
                if progress is not None:
                    progress(done, len(found))
            for content, features in found.items():
                if features is not None:
                    self._kept[content] = features
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return [features for document in documents if (features := found[document.content]) is not None]

    def _known(self, document: Document) -> Features | None:
        kept = self._kept.get(document.content)
        if kept is not None or self._folder is None:
            return kept
        if self._cache is None:
            self._cache = FeatureCache(self._folder, self.fingerprint)
        return self._cache.get(document)

    def _read(self, documents: list[Document]) -> dict[str, Features]:
        """documents: of one group."""
        backbone = self.backbone
        if self._reader is None:
            self._reader = FeatureReader(backbone.size, centred=backbone.causal)
        sources = Sources(documents[0].sources)
        encoded = backbone.encode(documents)
        with torch.inference_mode():
            found = {
                document.content: self._reader.read(document, one, sources)
                for document, one in zip(documents, encoded, strict=True)
            }
        if self._cache is not None:
            for document in documents:
                self._cache.put(document, found[document.content])
        return found
