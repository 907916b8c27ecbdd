"""What the authority writes down: every certificate that may exist, and nothing secret."""

from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificates
from structlog.testing import capture_logs

from kube.client import Client
from support.door import Requests, asked, running, until


async def test_a_certificate_whose_arrival_was_never_confirmed_is_in_the_audit_log(
    api_server: Requests, client: Client, all_answered: Any
) -> None:
    async with running(client) as replica:
        await until(lambda: replica.material.authority and not replica.door.unready)
        api_server.losing_answers = True
        with capture_logs() as logs:
            await asked(api_server, "web-1")
            await all_answered("web-1")
            await until(lambda: replica.count("unconfirmed", "Signed"))
    (leaf, _) = load_pem_x509_certificates(api_server.answer_to("web-1")["certificateChain"].encode())
    assert f"{leaf.serial_number:x}" in [each.get("serial") for each in logs if each["event"] == "unconfirmed"]


async def test_no_key_and_no_token_is_logged(
    api_server: Requests, client: Client, all_answered: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(client) as replica:
        await until(lambda: replica.material.authority)
        await asked(api_server, "web-1")
        await all_answered("web-1")
        secrets = api_server.stored_secrets()
        await api_server.put("/api/v1/namespaces/proa-system/secrets/proa-ca", data={"tls.key": "c2VjcmV0IG9mIG1pbmU="})
        await until(lambda: "still issuing with" in replica.material.problem)
        api_server.refusing = (401, "Unauthorized", {})
        await asked(api_server, "web-2")
        await until(lambda: replica.count("error", "api_unauthenticated"))
    logged = "".join(capsys.readouterr())
    assert "issued" in logged
    assert "api_unauthenticated" in logged or "Unauthorized" in logged
    assert len(secrets) == 5
    said = [
        secret for secret in (*secrets, "PRIVATE KEY", "of-a-test", "c2VjcmV0", "secret of mine") if secret in logged
    ]
    assert said == []
