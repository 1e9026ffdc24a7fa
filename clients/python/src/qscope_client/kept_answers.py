"""Verified tokens in a bounded memory."""

import hashlib
import threading
from collections import OrderedDict

from qscope_client.elapsed_time import Moment
from qscope_client.verified_token import VerifiedToken


class _Key:
    """A revocation key that answers have."""

    __slots__ = ("answers", "name", "told")

    def __init__(self, name: bytes) -> None:
        self.name = name
        #: How many answers have it.
        self.answers = 0
        #: The number of its latest telling since it is here.
        self.told = 0


class KeptAnswer:
    """A verified token, and what ends it."""

    __slots__ = ("good_until", "keys", "noted", "token")

    def __init__(self, token: VerifiedToken, noted: int, good_until: Moment) -> None:
        """Take the number of tellings that was noted before the token was looked at, and the moment of its expiry."""
        self.token = token
        self.noted = noted
        self.good_until = good_until
        self.keys: tuple[_Key, ...] = ()

    def was_told(self) -> bool:
        """Tell whether one of its keys was told since the number was noted."""
        noted = self.noted
        return any(key.told > noted for key in self.keys)


class KeptAnswers:
    """
    Keeps answers by their tokens' digests; beyond ``capacity`` the oldest goes.

    A telling costs the same however many answers have the key: each finds it when it is used next.
    """

    def __init__(self, capacity: int) -> None:
        """Start with none."""
        self._capacity = capacity
        #: Held while an answer is kept and while a key is told, so that no telling falls between a look at what was
        #: told and the keeping.
        self.lock = threading.Lock()
        self._answers: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._keys: dict[bytes, _Key] = {}
        #: The answer kept for a digest, or ``None``.
        self.get = self._answers.get

    def keep(self, digest: bytes, answer: KeptAnswer, keys: tuple[bytes, ...]) -> None:
        """Keep an answer with its revocation keys, in the place of an older one. The caller holds the lock."""
        answer.keys = tuple(self._hold(key) for key in keys)
        replaced = self._answers.pop(digest, None)
        self._answers[digest] = answer
        if replaced is not None:
            self._release(replaced)
        elif len(self._answers) > self._capacity:
            self._release(self._answers.popitem(last=False)[1])

    def drop(self, digest: bytes, answer: KeptAnswer) -> None:
        """Drop an answer, unless another has taken its place."""
        with self.lock:
            if self._answers.get(digest) is answer:
                del self._answers[digest]
                self._release(answer)

    def tell(self, key: bytes, number: int) -> None:
        """Take note of a telling. The caller holds the lock."""
        held = self._keys.get(key)
        if held is not None:
            held.told = number

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._answers)

    def _hold(self, key: bytes) -> _Key:
        held = self._keys.get(key)
        if held is None:
            held = self._keys[key] = _Key(key)
        held.answers += 1
        return held

    def _release(self, answer: KeptAnswer) -> None:
        for key in answer.keys:
            key.answers -= 1
            if key.answers == 0:
                del self._keys[key.name]


def digest_of(token: str) -> bytes:
    """Return what a token is kept under: who reads this process' memory finds no bearer tokens in it."""
    return hashlib.sha256(token.encode("ascii")).digest()
