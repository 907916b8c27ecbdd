"""Reading logs and counters, and judging what was seen."""

import json
from dataclasses import replace

import pytest

from demo.proof import (
    Captured,
    Counter,
    Journey,
    Proof,
    Request,
    Rotation,
    Side,
    claims,
    counter_sum,
    journey,
    requests,
    seen_certificates,
)

WEB, CLIENT = "spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/shop/sa/client"
DIALLED = "10.0.0.7:8080"
REQUEST = Request(dialled=DIALLED, source="10.0.0.8:4000", body="wine", failure="")
JOURNEY = Journey(
    dialled=DIALLED, client=Side(DIALLED, "TLSv1.3", WEB, "aa"), server=Side(DIALLED, "TLSv1.3", CLIENT, "bb")
)
PROOF = Proof(
    identities={"web": WEB, "client": CLIENT},
    without_injection=Captured(10, 1000, 1),
    with_injection=Captured(20, 2000, 0),
    requests=(REQUEST,),
    journeys=(JOURNEY,),
    counters=(Counter("web", "handshakes", 0, 1),),
    rotation=Rotation(50, (), "01", "02", ("01", "02")),
)


def wrong(side: Side, **changes: str) -> Side:
    return replace(side, **changes)


def test_every_claim_holds_for_a_proof_without_fault() -> None:
    assert all(claim.holds for claim in claims(PROOF))


@pytest.mark.parametrize(
    ("sentence", "proof"),
    [
        ("answered", replace(PROOF, requests=(replace(REQUEST, failure="503"),))),
        (
            "destination",
            replace(PROOF, journeys=(replace(JOURNEY, server=wrong(JOURNEY.server, original_destination="x")),)),
        ),
        ("TLS 1.3", replace(PROOF, journeys=(replace(JOURNEY, client=wrong(JOURNEY.client, tls="none")),))),
        ("identity", replace(PROOF, journeys=(replace(JOURNEY, server=wrong(JOURNEY.server, peer=WEB)),))),
        ("counter", replace(PROOF, counters=(Counter("web", "handshakes", 1, 1),))),
        ("without Proa", replace(PROOF, without_injection=Captured(10, 1000, 0))),
        ("with Proa", replace(PROOF, with_injection=Captured(20, 2000, 1))),
        ("with Proa", replace(PROOF, with_injection=Captured(0, 0, 0))),
        ("no request failed", replace(PROOF, rotation=replace(PROOF.rotation, failures=("reset",)))),
        ("new certificate", replace(PROOF, rotation=replace(PROOF.rotation, serials_seen=("01",)))),
    ],
)
def test_one_fault_breaks_the_one_claim_about_it(sentence: str, proof: Proof) -> None:
    broken = [claim.sentence for claim in claims(proof) if not claim.holds]
    assert len(broken) == 1
    assert sentence in broken[0]


def test_nothing_seen_proves_nothing() -> None:
    empty = replace(PROOF, requests=(), journeys=(), counters=(), rotation=replace(PROOF.rotation, requests=0))
    assert sum(claim.holds for claim in claims(empty)) <= 3, "only the captures and the serials were seen"


def line(**fields: str | None) -> str:
    shown = dict.fromkeys(
        ("source", "upstream_local", "original_destination", "upstream_tls", "upstream_peer", "upstream_certificate"),
        "x",
    )
    shown |= dict.fromkeys(("downstream_tls", "downstream_peer", "downstream_certificate"))
    return json.dumps({**shown, **fields}) + "\n"


def test_a_request_is_followed_from_one_sidecars_log_to_the_others() -> None:
    out = line(source=REQUEST.source, upstream_local="10.0.0.8:5000", upstream_peer=WEB)
    into = line(source="10.0.0.8:5000", original_destination=DIALLED, downstream_peer=CLIENT)
    noise = "[warning] something\n" + line(source="elsewhere") + '{"source": "10.0.0.8:4000", "half'
    found = journey(REQUEST, noise.replace('{"source": "10.0.0.8:4000", "half', "") + out, into + noise)
    assert found is not None
    assert (found.client.peer, found.server.peer) == (WEB, CLIENT)
    assert found.server.original_destination == DIALLED


def test_a_request_that_is_in_one_log_only_is_not_there_yet() -> None:
    out = line(source=REQUEST.source, upstream_local="10.0.0.8:5000")
    assert journey(REQUEST, out, "") is None
    assert journey(REQUEST, "", out) is None


def test_a_side_without_tls_says_so() -> None:
    out = line(source=REQUEST.source, upstream_local="y", upstream_tls=None, upstream_peer=None)
    found = journey(REQUEST, out, line(source="y"))
    assert found is not None
    assert (found.client.tls, found.client.peer, found.server.tls) == ("none", "nobody", "none")


def test_certificates_are_told_once_each_in_the_order_they_were_met() -> None:
    log = "".join(line(source=one, upstream_certificate=two) for one, two in ["aA", "bA", "cB", "dC", "eB"])
    assert seen_certificates(log, ["a", "b", "c", "e"]) == ("A", "B")


def test_counters_are_summed_over_the_series_with_the_labels_asked_for() -> None:
    text = "# TYPE hits counter\n" + 'hits{a="1",b="x"} 2\nhits{a="2",b="x"} 3\nhits_total{a="1"} 50\nhits 7\n'
    assert counter_sum(text, "hits", {}) == 12
    assert counter_sum(text, "hits", {"b": "x"}) == 5
    assert counter_sum(text, "hits", {"a": "1", "b": "x"}) == 2
    assert counter_sum(text, "misses", {}) == 0


def test_what_the_request_program_prints_is_read_back() -> None:
    printed = json.dumps({"dialled": DIALLED, "source": "s", "body": "b", "failure": ""})
    assert requests(f"{printed}\n{printed}\n") == (Request(DIALLED, "s", "b", ""),) * 2
