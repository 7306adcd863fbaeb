// Records for systems outside: appended to a topic of theirs, acknowledged by all in-sync replicas.

export interface KeyedRecord {
  readonly topic: string;
  /** Records of one key keep their order. */
  readonly key: string;
  readonly value: string;
}

export interface RecordsPort {
  /** Resolves when the log has all of them. Rejects with LogError; then each of them may be there, and may be appended again. */
  append(records: readonly KeyedRecord[]): Promise<void>;
}
