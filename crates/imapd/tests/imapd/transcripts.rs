//! Conversations, readable beside the RFCs: `tests/transcripts/*.txt`, each on every engine.

use imapd::Settings;

use super::transcript;
use super::world::{on_every_engine, settings};

async fn play(name: &'static str, text: &'static str) {
    let mut settings: Settings = settings();
    settings.starttls = text.lines().any(|line| line == "@starttls");
    on_every_engine(settings, |world| async move { transcript::run(&world, name, text).await }).await;
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                play(stringify!($name), include_str!(concat!("../transcripts/", stringify!($name), ".txt"))).await;
            }
        )*

        #[test]
        fn every_file_is_played() {
            let played = [$(stringify!($name)),*];
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
            for file in std::fs::read_dir(directory).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                assert!(played.contains(&name.trim_end_matches(".txt")), "{name} is not in the list");
            }
        }
    };
}

transcripts! {
    a_01_append_is_all_or_nothing
    a_02_append_is_refused_before_the_message
    a_03_literals_of_refused_commands_are_no_commands
    a_04_commands_are_bounded
    a_05_nul_and_eight_bits
    a_06_bare_line_feeds_are_stored_as_crlf
    a_07_copy_is_all_or_nothing
    a_07_move_is_one_step_and_never_doubles
    a_08_a_copy_to_the_same_mailbox_does_not_copy_its_copies
    a_09_append_to_the_selected_mailbox_shows_before_its_answer
    a_10_the_date_of_an_append
    a_11_several_messages_in_one_append
    a_12_no_catenate_and_no_replace
    b_01_header_fields
    b_02_partial
    b_03_parts
    b_05_structure
    b_06_envelopes
    b_07_strange_headers
    b_08_sizes_are_those_of_the_octets
    b_09_macros_and_items_asked_twice
    b_10_quoted_or_literal
    b_11_binary
    c_03_no_password_in_clear
    c_05_authenticate
    c_06_failed_logins_end_the_connection
    c_07_bad_is_not_the_end
    c_10_nothing_that_goes_wrong_is_an_alert
    c_12_nobody_speaks_for_another_address
    c_13_case_and_spaces
    c_15_nobody_sees_anothers
    create_special_use
    client_apple_mail
    client_k9
    client_outlook
    client_roundcube
    e_01_no_expunge_in_fetch_store_search_by_number
    e_02_no_expunge_while_a_literal_is_awaited
    e_03_commands_run_in_order_and_a_failed_select_leaves_nothing
    e_04_expunge_waits_for_a_command_by_number_already_sent
    e_05_store_answers_and_silent_hides_only_its_own_change
    e_07_what_was_expunged_elsewhere_is_left_out
    e_10_close_expunges_silently_unselect_and_examine_do_not
    e_11_a_deleted_mailbox_ends_the_sessions_that_had_it
    e_12_a_new_keyword_is_announced_before_it_is_used
    enable_ignores_what_it_does_not_know
    f_01_recent_and_unknown_system_flags_are_bad
    f_02_recent_goes_to_the_first_that_selects
    f_04_examine_changes_nothing
    f_05_a_body_sets_seen_that_another_took_away
    f_05_bodies_set_seen_and_peek_does_not
    f_06_copies_keep_flags_keywords_and_date
    greeting_and_login
    idle_says_again_what_was_told_in_passing
    idle_tells_what_another_did
    m_01_every_change_has_a_higher_modseq
    m_04_a_conditional_store_changes_only_what_has_not_changed
    m_06_after_enabling_all_fetch_lines_have_uid_and_modseq
    m_07_the_first_command_with_modseq_tells_the_highest
    m_08_search_modseq
    m_09_changedsince_is_strictly_after
    m_10_select_tells_what_happened_since
    m_12_the_ok_of_expunge_and_move_says_how_far_all_is_told
    m_13_no_highest_modseq_above_a_held_back_expunge
    m_14_recent_is_no_change
    move_tells_the_new_uids_first
    n_01_inbox_in_any_case
    n_02_names_in_modified_utf_7
    n_03_create
    n_04_names_that_lead_nowhere
    n_05_delete
    n_06_rename
    n_06_rename_of_inbox
    n_07_list_patterns
    n_08_lsub_shows_where_a_percent_stopped
    n_09_status
    n_11_namespace
    n_12_children_are_told_truly
    n_13_list_extended
    q_01_charsets
    q_02_substrings_of_decoded_text
    q_03_days_are_as_written
    q_04_keys_are_joined
    q_07_an_extended_result_is_told_even_of_nothing
    q_10_sort
    q_11_thread
    q_12_uid_ranges_that_clients_search
    q_13_a_saved_result_is_messages
    q_14_within_so_many_seconds
    quota
    rev2_is_switched_on_by_enable
    rev2_names_are_in_utf_8
    s_01_numbers_are_what_the_client_was_told
    s_02_expunge_before_exists_descending
    s_05_a_new_mailbox_of_an_old_name_has_a_higher_uidvalidity
    s_06_uidnext_stays_above_all_uids_ever
    s_07_uid_ranges_with_a_star
    s_08_an_unknown_number_is_bad_an_unknown_uid_nothing
    s_09_uid_commands_always_tell_uids
    s_10_what_a_uid_names_never_changes
    s_11_numbers_have_32_bits_and_begin_at_one
    select_and_fetch
    status_of_sizes
    the_folder_lists_of_real_clients
    uid_expunge_takes_only_these
}
