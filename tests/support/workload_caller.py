"""What a pod does with SPIFFE's Workload API, as a program: each answer is a line of JSON.

By generated stubs, which lie in this directory: `svids` and `bundles` follow a stream, `bare` does so with another
header, `tokens` asks for one and has it validated. By SPIFFE's own library for Python: `library`, `tokens-by-library`.
`handed-on` ends, and leaves its connection to a child, which says how that went. `crowd` opens more connections than
are its own. `crowds` does so in each of the control groups that it is told, with as many connections as it is told.
"""

import json
import os
import select
import socket
import sys
import time
from pathlib import Path

SOCKET = sys.argv[2]


def said(**what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def followed(method: str, request: str, metadata: tuple[tuple[str, str], ...]) -> None:
    import grpc  # noqa: PLC0415
    import workload_pb2 as messages  # noqa: PLC0415
    import workload_pb2_grpc as stubs  # noqa: PLC0415

    with grpc.insecure_channel(f"unix:{SOCKET}") as channel:
        stub = stubs.SpiffeWorkloadAPIStub(channel)
        try:
            for answer in getattr(stub, method)(getattr(messages, request)(), metadata=metadata, timeout=120):
                if request == "X509BundlesRequest":
                    said(bundles={key: value.hex() for key, value in answer.bundles.items()})
                else:
                    (svid,) = answer.svids
                    names = ("x509_svid", "x509_svid_key", "bundle")
                    federated = {key: value.hex() for key, value in answer.federated_bundles.items()}
                    said(id=svid.spiffe_id, federated=federated, **{name: getattr(svid, name).hex() for name in names})
        except grpc.RpcError as error:
            said(code=error.code().name, details=error.details())


def by_library() -> None:
    from spiffe import WorkloadApiClient  # noqa: PLC0415

    with WorkloadApiClient(f"unix:{SOCKET}") as client:
        context = client.fetch_x509_context()
    svid = context.default_svid
    roots = {str(bundle.trust_domain): len(bundle.x509_authorities) for bundle in context.x509_bundle_set.bundles}
    said(id=str(svid.spiffe_id), chain=len(svid.cert_chain), roots=roots)


def tokens(*arguments: str) -> None:
    import grpc  # noqa: PLC0415
    import workload_pb2 as messages  # noqa: PLC0415
    import workload_pb2_grpc as stubs  # noqa: PLC0415

    with grpc.insecure_channel(f"unix:{SOCKET}") as channel:
        stub = stubs.SpiffeWorkloadAPIStub(channel)
        try:
            for answer in stub.FetchJWTBundles(messages.JWTBundlesRequest(), metadata=HEADER, timeout=120):
                bundles = {key: json.loads(value) for key, value in answer.bundles.items()}
                break
            asking = messages.JWTSVIDRequest(audience=arguments[1:], spiffe_id=arguments[0])
            (one,) = stub.FetchJWTSVID(asking, metadata=HEADER, timeout=120).svids
            checking = messages.ValidateJWTSVIDRequest(audience=arguments[1], svid=one.svid)
            found = stub.ValidateJWTSVID(checking, metadata=HEADER, timeout=120)
            told = {"bundles": bundles, "validated": found.spiffe_id, "aud": list(found.claims["aud"])}
            said(id=one.spiffe_id, svid=one.svid, **told)
        except grpc.RpcError as error:
            said(code=error.code().name, details=error.details())


def tokens_by_library() -> None:
    from spiffe import WorkloadApiClient  # noqa: PLC0415

    with WorkloadApiClient(f"unix:{SOCKET}") as client:
        svid = client.fetch_jwt_svid(audience={"reports"})
        checked = client.validate_jwt_svid(svid.token, audience="reports")
        bundles = client.fetch_jwt_bundles()
    domain = svid.spiffe_id.trust_domain
    keys = bundles.get_bundle_for_trust_domain(domain).jwt_authorities
    said(id=str(svid.spiffe_id), audience=sorted(svid.audience), checked=str(checked.spiffe_id), keys=len(keys))


def handed_on() -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET)
        connection.settimeout(60)
        if os.fork():
            os._exit(0)
        time.sleep(0.3)
        said(left=len(connection.recv(1)) if connection.recv(65_536) else 0)


def crowd() -> None:
    connections = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for each in connections:
        each.connect(SOCKET)
    gone = select.poll()
    for each in connections:
        gone.register(each, select.POLLRDHUP)
    deadline = time.monotonic() + 60
    while len(ended := gone.poll(0)) < 24 and time.monotonic() < deadline:
        time.sleep(0.01)
    said(open=40 - len(ended))
    time.sleep(600)


def crowds(each: str, *groups: str) -> None:
    done, told = os.pipe()
    for group in groups:
        if not os.fork():
            Path(group).write_text(str(os.getpid()), encoding="ascii")
            connections = [socket.socket(socket.AF_UNIX) for _ in range(int(each))]
            for connection in connections:
                connection.connect(SOCKET)
            os.write(told, b".")
            time.sleep(600)
            os._exit(0)
    for _ in groups:
        os.read(done, 1)
    said(groups=len(groups))
    time.sleep(600)


HEADER = (("workload.spiffe.io", "true"),)
sys.path.insert(0, str(Path(__file__).parent))
match sys.argv[1]:
    case "svids":
        followed("FetchX509SVID", "X509SVIDRequest", HEADER)
    case "bundles":
        followed("FetchX509Bundles", "X509BundlesRequest", HEADER)
    case "bare":
        followed("FetchX509SVID", "X509SVIDRequest", (("workload.spiffe.io", "yes"),))
    case "library":
        by_library()
    case "tokens":
        tokens(*sys.argv[3:])
    case "tokens-by-library":
        tokens_by_library()
    case "handed-on":
        handed_on()
    case "crowds":
        crowds(*sys.argv[3:])
    case "crowd":
        crowd()
