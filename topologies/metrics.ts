// Every metric once: name, kind, help and its closed set of labels. Adapters register exactly these.
import { streamMetrics } from './run/event-stream/stream-metrics.ts';
import { sinkMetrics } from './run/sink-metrics.ts';

export interface MetricDeclaration {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, for histograms. */
  readonly buckets?: readonly number[];
}

const seconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
] as const;

export const metrics: readonly MetricDeclaration[] = [
  {
    name: 'tocsin_records_total',
    kind: 'counter',
    help: 'Records read, by input topic and outcome.',
    labels: ['service', 'topic', 'outcome'],
  },
  { name: 'tocsin_rule_matches_total', kind: 'counter', help: 'Matches by rule.', labels: ['rule'] },
  {
    name: 'tocsin_rule_shadow_matches_total',
    kind: 'counter',
    help: 'Matches of rules on trial, which nothing follows, by rule.',
    labels: ['rule'],
  },
  {
    name: 'tocsin_commands_total',
    kind: 'counter',
    help: 'Commands decided, by action type.',
    labels: ['type'],
  },
  {
    name: 'tocsin_run_starts_total',
    kind: 'counter',
    help: 'Runs of playbooks decided by triggers and rules; what has a run with its key already starts none.',
    labels: ['playbook', 'by'],
  },
  {
    name: 'tocsin_awaited_events_total',
    kind: 'counter',
    help: 'Events handed on because runs of playbooks may wait for their type.',
    labels: [],
  },
  {
    name: 'tocsin_refusals_total',
    kind: 'counter',
    help: 'Things the evaluator did not do, by reason.',
    labels: ['reason'],
  },
  {
    name: 'tocsin_notes_total',
    kind: 'counter',
    help: 'Things about an input that were noted and did not stop it, by reason.',
    labels: ['reason'],
  },
  {
    name: 'tocsin_evaluate_seconds',
    kind: 'histogram',
    help: 'Time to evaluate one batch.',
    labels: [],
    buckets: seconds,
  },
  {
    name: 'tocsin_dead_letters_total',
    kind: 'counter',
    help: 'Dead letters written, by service and reason.',
    labels: ['service', 'reason'],
  },
  {
    name: 'tocsin_dead_letters_recorded_total',
    kind: 'counter',
    help: 'Dead letters written for the search, repeats included.',
    labels: [],
  },
  {
    name: 'tocsin_dead_letters_unrecorded_total',
    kind: 'counter',
    help: 'Dead letters that could not be stored; they are in their topic alone.',
    labels: [],
  },
  {
    name: 'tocsin_dead_letters_redriven_total',
    kind: 'counter',
    help: 'Dead letters sent back to where they came from, by outcome: sent, refused by the log.',
    labels: ['outcome'],
  },
  {
    name: 'tocsin_actions_total',
    kind: 'counter',
    help: 'Commands ended, by type, status and failure code.',
    labels: ['type', 'status', 'code'],
  },
  {
    name: 'tocsin_action_retries_total',
    kind: 'counter',
    help: 'Attempts that will be repeated, by failure code.',
    labels: ['type', 'code'],
  },
  {
    name: 'tocsin_action_possible_duplicates_total',
    kind: 'counter',
    help: 'Attempts made although an earlier one may have had its effect.',
    labels: ['type'],
  },
  {
    name: 'tocsin_action_infrastructure_errors_total',
    kind: 'counter',
    help: 'Times the ledger or the log could not be used.',
    labels: ['type'],
  },
  {
    name: 'tocsin_action_parked_total',
    kind: 'counter',
    help: 'Commands that became timers: for their next attempt (retry), or until their destination is back (away).',
    labels: ['type', 'reason'],
  },
  {
    name: 'tocsin_action_not_parked_total',
    kind: 'counter',
    help: 'Commands that wait in memory and hold their offsets because they are too large or too many to be parked.',
    labels: ['type'],
  },
  {
    name: 'tocsin_action_parked_characters',
    kind: 'gauge',
    help: 'Characters of the commands that are parked.',
    labels: ['type'],
  },
  {
    name: 'tocsin_action_seconds',
    kind: 'histogram',
    help: 'Duration of one attempt.',
    labels: ['type'],
    buckets: seconds,
  },
  {
    name: 'tocsin_action_latency_seconds',
    kind: 'histogram',
    help: 'From decision to final outcome.',
    labels: ['type'],
    buckets: seconds,
  },
  {
    name: 'tocsin_config_documents',
    kind: 'gauge',
    help: 'Configuration documents in use, by kind.',
    labels: ['kind'],
  },
  {
    name: 'tocsin_config_problems',
    kind: 'gauge',
    help: 'Configuration documents left out because they are invalid.',
    labels: [],
  },
  {
    name: 'tocsin_playbook_versions',
    kind: 'gauge',
    help: 'Published versions of playbooks that are known.',
    labels: [],
  },
  {
    name: 'tocsin_playbook_version_problems',
    kind: 'gauge',
    help: 'Published versions of playbooks that cannot be used.',
    labels: [],
  },
  {
    name: 'tocsin_rule_problems',
    kind: 'gauge',
    help: 'Rules, lists and actions that the evaluator left out or that name what does not exist.',
    labels: [],
  },
  {
    name: 'tocsin_matcher_rules',
    kind: 'gauge',
    help: 'Rules that the matcher holds.',
    labels: [],
  },
  {
    name: 'tocsin_matcher_unwitnessed',
    kind: 'gauge',
    help: 'Entries of rules that every event has to check, because they hold through something absent.',
    labels: [],
  },
  {
    name: 'tocsin_matcher_checks_total',
    kind: 'counter',
    help: 'Questions, an event to a rule each, that the reference evaluator was asked again.',
    labels: [],
  },
  {
    name: 'tocsin_matcher_differences_total',
    kind: 'counter',
    help: 'Answers of the matcher that the reference evaluator does not give. Must be 0.',
    labels: ['rule'],
  },
  {
    name: 'tocsin_matcher_bytes',
    kind: 'gauge',
    help: 'Bytes of the tables of the matcher.',
    labels: [],
  },
  {
    name: 'tocsin_consumer_lag_records',
    kind: 'gauge',
    help: 'Records that wait for a consumer group.',
    labels: ['group', 'topic', 'partition'],
  },
  {
    name: 'tocsin_consumer_lag_seconds',
    kind: 'gauge',
    help: 'Age of the oldest record that waits for a consumer group.',
    labels: ['group', 'topic', 'partition'],
  },
  {
    name: 'tocsin_consumer_notices_total',
    kind: 'counter',
    help: 'Rebalances, fetch retries and offset gaps, by kind.',
    labels: ['service', 'kind'],
  },
  {
    name: 'tocsin_fold_inputs_total',
    kind: 'counter',
    help: 'Inputs applied to states, by fold.',
    labels: ['fold'],
  },
  {
    name: 'tocsin_fold_rewinds_total',
    kind: 'counter',
    help: 'Times a partition was read again because the store stood elsewhere, by fold and reason.',
    labels: ['fold', 'reason'],
  },
  {
    name: 'tocsin_fold_rebuilds_total',
    kind: 'counter',
    help: 'Partitions whose states were rebuilt from the changelog, by fold.',
    labels: ['fold'],
  },
  {
    name: 'tocsin_collection_inputs_total',
    kind: 'counter',
    help: 'Chunks and timers of runs that come in several chunks, by what became of them.',
    labels: ['outcome'],
  },
  {
    name: 'tocsin_runs_live',
    kind: 'gauge',
    help: 'Runs of playbooks that have not ended, by playbook and status, as of the last minute.',
    labels: ['playbook', 'status'],
  },
  {
    name: 'tocsin_runs_stuck',
    kind: 'gauge',
    help: 'Live runs that expected an input, a timer at the latest, which has not come for five minutes. Must be 0.',
    labels: [],
  },
  {
    name: 'tocsin_timers_pending',
    kind: 'gauge',
    help: 'Timers that wait for their time, by the topic that they fire into.',
    labels: ['topic', 'partition'],
  },
  {
    name: 'tocsin_timer_lateness_seconds',
    kind: 'histogram',
    help: 'From the due time of a timer to the acknowledgement of its input.',
    labels: ['topic'],
    buckets: [...seconds, 600, 3_600],
  },
  { name: 'tocsin_history_rows_total', kind: 'counter', help: 'Results written to the history.', labels: [] },
  {
    name: 'tocsin_run_events_recorded_total',
    kind: 'counter',
    help: 'Changes of playbook runs written to the history.',
    labels: [],
  },
  ...sinkMetrics,
  ...streamMetrics,
];
