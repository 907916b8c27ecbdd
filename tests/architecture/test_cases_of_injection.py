"""The cases that any sidecar injector is asked about, and the tests that answer each of them here.

Where Proa has no such thing, a decision says why, and a test what becomes of the wish for it.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DECISION = "webhook/test_decision.py::the_first_rule_that_applies_decides"
ASKED = "cluster_suite/test_webhook_registration.py::the_api_server_asks_about_what_would_be_injected_or_refused"
NEVER_ASKED = "cluster_suite/test_webhook_registration.py::what_is_never_injected_is_not_asked_about"
CONFIGURED = "webhook/test_decision_inputs.py::the_configuration_decides_where_nobody_nearer_does"
MODEL = "cluster_suite/test_webhook_registration.py::the_api_server_asks_what_the_model_of_it_says"
GOLDEN = "webhook/test_patch.py::a_pods_patch_is_its_golden_one"
SHAPE = "cluster_suite/test_end_to_end_settings.py::a_pod_of_any_shape_is_taken_and_given_back"
TAKEN = "cluster_suite/test_end_to_end_settings.py::the_api_server_takes_a_pod_with_what_it_asks_for"
REFUSED = "cluster_suite/test_end_to_end_settings.py::the_api_server_refuses_a_pod_with_all_that_is_wrong_with_it"
PROBED = "cluster_suite/test_end_to_end_probes.py::a_strict_pod_is_ready_by_its_probes"
KUBELET = "webhook/test_probes_envoy.py::the_application_sees_the_kubelets_request_and_nothing_of_the_sidecars"
SCRAPED = "webhook/test_settings_of_pods.py::scrape_annotations_of_the_app_stay_whatever_they_say"
HTTP = "webhook/test_server.py::what_is_no_review_gets_its_http_status_and_the_field"
CASES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("a namespace opts in", (DECISION, ASKED)),
    2: ("a pod opts in where its namespace says nothing", (DECISION, ASKED)),
    3: ("a pod's label opts out", (DECISION, ASKED)),
    4: ("a pod's annotation opts out", (DECISION, ASKED)),
    5: ("label and annotation differ", (DECISION, "webhook/test_decision_inputs.py::a_contradiction_is_told")),
    6: (
        "a wish that is neither yes nor no",
        (
            "webhook/test_decision.py::a_wish_that_is_neither_yes_nor_no_is_refused_by_its_key",
            "webhook/test_decision_inputs.py::an_unusable_value_may_count_as_absent_and_is_warned_of",
            ASKED,
        ),
    ),
    7: ("a namespace opts out and its pod in", (DECISION, ASKED)),
    8: ("a selector that never takes", (CONFIGURED, MODEL)),
    9: ("a selector that always takes, with a policy that does not", (CONFIGURED, MODEL)),
    10: ("the node's network", (DECISION, NEVER_ASKED)),
    11: (
        "a system namespace",
        (DECISION, "cluster_suite/test_webhook_registration.py::no_pod_of_a_system_namespace_is_asked_about"),
    ),
    12: ("the injector's own namespace", (DECISION, "webhook/test_registration.py::no_pod_of_a_system_namespace")),
    13: (
        "a pod that comes injected",
        (
            "webhook/test_server.py::a_pod_that_comes_again_is_answered_without_a_patch",
            "cluster_suite/test_reinjection.py::a_copy_of_a_running_pod_is_as_the_pod_was",
        ),
    ),
    14: ("nothing that the patch needs is there", (GOLDEN, SHAPE)),
    15: ("one container", (GOLDEN, SHAPE)),
    16: ("several containers", (GOLDEN, SHAPE)),
    17: (
        "init containers of the user's",
        ("webhook/test_settings_of_pods.py::a_native_sidecar_is_before_the_pods_own_init_containers", SHAPE),
    ),
    18: (
        "volumes and pull secrets, also of a name that is to be added",
        (
            "webhook/test_admission.py::everything_a_pod_collides_with_is_named_at_once",
            "webhook/test_customising.py::what_a_template_names_and_the_pod_has_is_there_once",
            SHAPE,
        ),
    ),
    19: (
        "keys that a pointer has to escape",
        (GOLDEN, "webhook/test_patch.py::a_pointer_is_read_the_same_by_another_library", SHAPE),
    ),
    20: ("two thousand variables", ("webhook/test_patch.py::the_patch_does_not_grow_with_the_pod", SHAPE)),
    21: (
        "a file of several documents, not all workloads",
        (
            "webhook/test_stream.py::what_carries_no_pod_passes_through_as_text",
            "webhook/test_uninjection.py::a_stream_keeps_its_text_and_its_order",
        ),
    ),
    22: (
        "every kind of workload, CronJobs and Lists",
        (
            "webhook/test_stream.py::every_kind_that_carries_a_pod_gets_the_webhooks_sidecar",
            "webhook/test_stream.py::each_item_of_a_list_is_taken_by_itself",
            "webhook/test_stream.py::what_makes_the_pods_of_a_workload_decides_about_them",
            "cluster_suite/test_end_to_end_workloads.py::every_pod_of_a_workload_carries_its_sidecar",
            "cluster_suite/test_end_to_end_workloads.py::a_cron_jobs_job_completes",
        ),
    ),
    23: (
        "the order of a regular sidecar",
        ("cluster_suite/test_end_to_end_settings.py::a_regular_sidecar_runs_beside_the_app_and_ends_with_it",),
    ),
    24: (
        "the app waits for its sidecar",
        (
            "webhook/test_settings_of_pods.py::a_regular_sidecar_that_holds_the_app_is_first_and_its_hook_waits",
            "webhook/test_settings_envoy.py::the_hook_that_holds_the_app_waits_for_a_real_envoy",
            TAKEN,
        ),
    ),
    25: (
        "the order of a native one",
        (
            "webhook/test_settings_of_pods.py::a_native_sidecar_stands_where_it_is_asked_to",
            "cluster_suite/test_end_to_end_settings.py::a_native_sidecar_behind_a_named_init_container_starts",
        ),
    ),
    26: ("probes of another native sidecar", ("webhook/test_probes.py::a_native_sidecars_probes_are_answered_too",)),
    27: (
        "a pod wants no native sidecar",
        (
            "webhook/test_settings_of_pods.py::a_regular_sidecar_is_the_last_container_behind_all_init_containers",
            TAKEN,
        ),
    ),
    28: (
        "old nodes",
        (
            "docs/decisions/0014-native-sidecars-do-not-depend-on-nodes.md",
            "webhook/test_settings_of_pods.py::the_configuration_may_make_regular_sidecars_the_rule",
        ),
    ),
    29: ("http probes", ("webhook/test_probes.py::an_http_probe_changes_its_port_alone", PROBED)),
    30: ("https probes", ("webhook/test_probes.py::an_https_probe_becomes_an_http_one", PROBED)),
    31: ("tcp probes", ("webhook/test_probes.py::a_tcp_probe_becomes_an_http_one", PROBED)),
    32: ("grpc probes", ("webhook/test_probes.py::a_grpc_probe_changes_its_port_alone", PROBED)),
    33: ("exec probes", ("webhook/test_probes.py::what_asks_nobody_or_somebody_else_stays", PROBED)),
    34: ("a port by its name", ("webhook/test_probes.py::a_named_port_is_one_of_the_same_container", PROBED)),
    35: ("a port by a name that nobody has", ("webhook/test_probes.py::a_port_whose_name_nobody_has_is_left_alone",)),
    36: (
        "host, headers and timeout of a probe",
        (KUBELET, "webhook/test_probes.py::any_probe_leaves_everything_but_its_own_handler", PROBED),
    ),
    37: (
        "lifecycle hooks",
        (
            "webhook/test_probes.py::an_http_hook_changes_its_port_and_has_no_time_to_keep",
            "webhook/test_probes_envoy.py::a_hook_gets_through_and_its_path_is_no_variable",
        ),
    ),
    38: ("a pod keeps its probes", ("webhook/test_settings_of_pods.py::probes_stay_where_the_pod_asks_for_it", TAKEN)),
    39: (
        "another port for the sidecar",
        (
            "docs/decisions/0015-the-sidecars-ports-are-not-a-pods-to-choose.md",
            "webhook/test_probes.py::a_listeners_port_is_none_that_the_application_has",
            "webhook/test_admission.py::an_application_at_a_port_of_the_sidecars_is_refused_and_told_which",
            "webhook/test_wishes.py::what_proa_has_nothing_for_is_warned_of",
        ),
    ),
    40: (
        "a proxy container of the user's",
        (
            "webhook/test_customising.py::a_users_own_proxy_container_overrides_field_by_field",
            "cluster_suite/test_reinjection.py::a_users_own_proxy_container_is_one_sidecar_after_both_calls",
        ),
    ),
    41: (
        "a pod that is only a proxy",
        (
            "webhook/test_customising.py::a_pod_may_be_only_a_proxy",
            "cluster_suite/test_customised_pods.py::a_customised_pod_is_valid",
            "cluster_suite/test_reinjection.py::a_gateway_is_only_a_proxy_after_both_calls_and_gets_ready",
        ),
    ),
    42: (
        "several templates, one for several, one that is none",
        (
            "webhook/test_customising.py::two_templates_are_laid_over_a_pod_in_their_order",
            "webhook/test_customising.py::a_template_that_is_none_is_refused_with_those_that_are",
            "docs/decisions/0011-templates-are-partial-pods.md",
            REFUSED,
        ),
    ),
    43: (
        "a template that edits the app's containers",
        (
            "webhook/test_customising.py::two_templates_are_laid_over_a_pod_in_their_order",
            "cluster_suite/test_customised_pods.py::a_customised_pod_is_valid",
        ),
    ),
    44: (
        "directives of the strategic merge",
        (
            "proa/test_overlay.py::a_field_is_merged_by_kubernetes_rules",
            "cluster_suite/test_overlay_reference.py::any_partial_pod_is_merged_as_kubernetes_does",
        ),
    ),
    45: ("no network", ("webhook/test_interception.py::every_contradiction_is_told_by_its_annotation", REFUSED)),
    46: ("no port", ("webhook/test_interception.py::every_contradiction_is_told_by_its_annotation", REFUSED)),
    47: ("no quantity", ("webhook/test_wishes.py::all_problems_are_told_at_once_by_key", REFUSED)),
    48: (
        "line breaks and quotes in an annotation",
        (
            "webhook/test_settings_of_pods.py::no_value_changes_the_structure_of_what_is_added",
            "webhook/test_customising.py::no_value_of_a_user_changes_structure",
            REFUSED,
        ),
    ),
    49: (
        "one quantity of several",
        ("webhook/test_resources.py::each_quantity_is_set_by_itself_and_none_removes_a_default", TAKEN),
    ),
    50: ("no annotation for metrics", (SCRAPED,)),
    51: ("an annotation that says not to scrape", (SCRAPED,)),
    52: ("another spelling of it", (SCRAPED,)),
    53: (
        "a port of the sidecar's to scrape",
        ("docs/decisions/0013-nothing-is-merged-into-the-sidecars-metrics.md", SCRAPED),
    ),
    54: ("several ports to scrape", ("docs/decisions/0013-nothing-is-merged-into-the-sidecars-metrics.md", SCRAPED)),
    55: (
        "injected twice",
        (
            "webhook/test_reinjection.py::injecting_twice_is_injecting_once",
            "webhook/test_templates.py::the_output_as_input_stays_as_it_is_and_comes_back_as_it_was",
        ),
    ),
    56: (
        "a container of another webhook's",
        (
            "webhook/test_reinjection.py::a_container_that_came_later_has_its_probes_covered",
            "cluster_suite/test_reinjection.py::a_container_that_a_later_webhook_adds_has_its_probes_covered",
        ),
    ),
    57: (
        "from regular to native",
        ("webhook/test_reinjection.py::a_regular_sidecar_becomes_a_native_one_and_back_with_nothing_left",),
    ),
    58: (
        "another template since",
        ("webhook/test_customised_again.py::injecting_a_file_under_other_templates_leaves_no_rest_of_the_former",),
    ),
    59: (
        "the original again",
        ("webhook/test_uninjection.py::any_pod_comes_back_as_it_was", SHAPE),
    ),
    60: (
        "both versions of a review, and what is none",
        (
            "webhook/test_review.py::a_review_is_answered_in_the_version_it_came_in",
            "webhook/test_server.py::a_review_of_the_older_version_is_answered_in_it",
            HTTP,
            "webhook/test_server.py::a_body_without_a_length_is_bounded_too",
            "webhook/test_admission.py::the_uid_comes_back",
            "webhook/test_admission.py::arbitrary_json_in_the_place_of_a_pod_is_refused_by_a_name",
        ),
    ),
}


def test_every_case_has_an_answer() -> None:
    assert list(CASES) == list(range(1, 61))
    assert all(any("::" in answer for answer in answers) for _, answers in CASES.values())


@pytest.mark.parametrize("answer", sorted({answer for _, answers in CASES.values() for answer in answers}))
def test_an_answer_is_one_test_or_one_decision(answer: str) -> None:
    file, is_test, name = answer.partition("::")
    if not is_test:
        assert (ROOT / file).is_file()
        return
    found = re.findall(r"(?m)^(?:async )?def (test_\w+)\(", (ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert len([each for each in found if each.startswith(f"test_{name}")]) == 1
