"""Refused calls as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from qscope_client.remedy import Remedy, remedy_of

_DOMAIN = "qscope"

_Detail = TypeVar("_Detail", bound=Message)


@dataclass(frozen=True)
class Refusal:
    """A call that did not succeed, its details decoded."""

    #: Such as ``PERMISSION_DENIED``.
    status: str
    message: str = ""
    #: Decides what to do, such as ``OAUTH_INVALID_GRANT``. Empty for a status that the transport made (a deadline, a
    #: lost connection).
    reason: str = ""
    #: Goes with the reason: ``oauth_error``, ``rejected_scopes``, …
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: Names the call in the server's log and audit log.
    ray_id: str = ""
    #: Seconds to wait before the same call; None: not to send it again.
    retry_after: float | None = None
    #: The fields of the request that are wrong, and what is wrong with them.
    violations: tuple[tuple[str, str], ...] = ()
    #: Type and name of what was looked for, or is taken.
    resource: tuple[str, str] | None = None
    #: Subject and description of the limit that was reached.
    quota: tuple[tuple[str, str], ...] = ()
    #: The documentation of the reason.
    help_url: str = ""

    @classmethod
    def of(cls, error: grpc.RpcError) -> Self:
        """Decode what a call raised."""
        status = rpc_status.from_call(error)
        if status is None:
            return cls(status=error.code().name, message=error.details() or "")
        return cls.of_status(status)

    @classmethod
    def of_status(cls, status: Status) -> Self:
        """Decode a status inside an answer, such as that of a batch."""
        info = _detail(status, error_details_pb2.ErrorInfo)
        request = _detail(status, error_details_pb2.RequestInfo)
        retry = _detail(status, error_details_pb2.RetryInfo)
        bad = _detail(status, error_details_pb2.BadRequest)
        resource = _detail(status, error_details_pb2.ResourceInfo)
        quota = _detail(status, error_details_pb2.QuotaFailure)
        guide = _detail(status, error_details_pb2.Help)
        ours = info if info and info.domain == _DOMAIN else None
        return cls(
            status=Code.Name(status.code),
            message=status.message,
            reason=ours.reason if ours else "",
            metadata=dict(ours.metadata) if ours else {},
            ray_id=request.request_id if request else "",
            retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
            violations=tuple((each.field, each.description) for each in bad.field_violations) if bad else (),
            resource=(resource.resource_type, resource.resource_name) if resource else None,
            quota=tuple((each.subject, each.description) for each in quota.violations) if quota else (),
            help_url=guide.links[0].url if guide and guide.links else "",
        )

    @property
    def remedy(self) -> Remedy:
        """What a program does about it."""
        return remedy_of(self.status, self.reason, self.metadata, can_repeat=self.retry_after is not None)


def _detail(status: Status, kind: type[_Detail]) -> _Detail | None:
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            return message
    return None
