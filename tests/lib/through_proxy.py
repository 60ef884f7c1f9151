"""Which flow tests also run with nginx in front of the server (PQOTA_VIA=nginx, -m through_proxy): all of
these modules but for what is the listener's own business, or what nginx does differently."""

THROUGH = {
    "test_accounts": {
        "test_the_verbs": "is no matter of the way",
        "test_the_secret_key": "asks no server",
        "test_a_crash_and_a_restart_keep_them": "is no matter of the way",
    },
    "test_agent": {
        "test_it_comes_back_when_the_server_does": "nginx answers 503 where nobody would listen",
        "test_swupdate_installs_a_real_swu": "is no matter of the way",
        "test_an_installer_past_its_deadline_is_ended_with_its_children": "is no matter of the way",
        "test_killed_at_any_moment_it_ends_on_the_new_version": "is slow, and no matter of the way",
        "test_a_version_that_stays_unhealthy_is_not_rebooted_for_ever": "is no matter of the way",
        "test_a_failed_health_check_returns_to_the_old_slot_and_says_so": "is no matter of the way",
        "test_the_token_is_not_shown_to_other_users": "is no matter of the way",
    },
    "test_agent_renewal": {
        "test_an_expired_certificate_is_renewed_on_the_next_start": "nginx takes no expired certificate",
        "test_a_line_that_fails_in_the_middle_of_a_renewal_costs_nothing": "counts rows of the database",
        "test_new_server_roots_come_by_a_bundle_and_are_taken_over": "changes the server's certificate",
        "test_roots_that_would_lock_the_device_out_are_not_taken_over": "is no matter of the way",
        "test_a_certificate_for_another_key_is_not_taken": "is no matter of the way",
    },
    "test_firmware": {
        "test_two_gibibytes_need_no_more_memory": "is slow; test_nginx sends a large file",
        "test_a_full_disk_says_so_and_keeps_what_is_there": "is slow, and no matter of the way",
    },
    "test_identity": {
        "test_an_expired_certificate_is_good_for_renewal_alone": "nginx takes no expired certificate",
        "test_root_roll_over_by_a_bundle": "nginx reads new roots when it is told to",
    },
    "test_identity_attacks": {},
    "test_openapi": {},
    "test_command_line": {
        "test_completion": "asks no server",
        "test_every_verb_has_help": "asks no server",
    },
}

THROUGH_ALONE = {
    "test_http": [
        "test_head_and_conditional_requests",
        "test_single_ranges",
        "test_several_ranges_as_multipart",
        "test_chunked_upload",
        "test_http_1_0",
        "test_keep_alive_and_pipelining",
    ],
    "test_director": ["test_one_signature_a_decision", "test_who_may", "test_manifest"],
    "test_tls": ["test_without_a_certificate_only_the_public_parts_answer", "test_each_post_quantum_group"],
}


def goes_through(module, test):
    if module in THROUGH_ALONE:
        return test in THROUGH_ALONE[module]
    return module in THROUGH and test not in THROUGH[module]
