// What is sent to a host over SSH: one command line for its login shell, with a fixed program for /bin/sh and quoted words.
//
// Invariant: every word arrives as it is, byte for byte, whatever it holds: within '...' POSIX shells know no special character but the
// closing quote (POSIX.1-2024, XCU 2.2.2). What a run adds are words; the text of the program never changes.
//
// Surprise: the run is detached from the session and leaves its state in a folder. A session that breaks, or a worker that dies, takes
// neither the script with it nor its outcome; whoever comes next finds the folder and begins nothing.

/** One word for a POSIX shell. Throws RangeError for a null character, which no word can hold. */
export function quoteWord(word: string): string {
  if (word.includes('\0')) throw new RangeError('a word holds a null character');
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Watches over one script: $1 folder, $2 time limit in seconds, $3 bytes kept of each stream, $4 seconds between TERM and KILL, then
 * NAME=value words and the words of the script. Writes `exit` when all is over; without it nobody knows.
 */
const supervisor = `d=$1 limit=$2 keep=$3 grace=$4; shift 4
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
echo "$$ $(start_of $$)" > "$d/supervisor"
left() {
  cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^[0-9]* (.*) //' | awk -v g="$pid" '$3 == g && $1 != "Z" { n = 1 } END { exit !n }'
}
capture() {
  mkfifo "$d/$1" "$d/$1.h" "$d/$1.c"
  { sha256sum < "$d/$1.h" | cut -d' ' -f1 > "$d/$1.sha.draft"; mv "$d/$1.sha.draft" "$d/$1.sha"; } &
  { wc -c < "$d/$1.c" > "$d/$1.bytes.draft"; mv "$d/$1.bytes.draft" "$d/$1.bytes"; } &
  { tee "$d/$1.h" "$d/$1.c" < "$d/$1" | { head -c "$keep" > "$d/$1.kept"; cat > /dev/null; }; : > "$d/$1.done"; } &
}
capture out; capture err
started=$(date +%s)
setsid env -i "$@" < "$d/in" > "$d/out" 2> "$d/err" &
pid=$!
( stop= killat=0 killed=0 end=$((started + limit))
  while :; do
    if [ -n "$stop" ]; then
      left || break
      if [ "$(date +%s)" -gt "$killat" ]; then kill -KILL "-$pid"; killed=1; break; fi
    else
      [ -e "$d/code" ] && break
      if [ -e "$d/cancel" ]; then stop=cancel; elif [ "$(date +%s)" -ge "$end" ]; then stop=time_limit; fi
      [ -z "$stop" ] || { killat=$(($(date +%s) + grace)); kill -TERM "-$pid"; }
    fi
    sleep 0.1
  done
  [ -z "$stop" ] || echo "$stop $killed" > "$d/stopped" ) 2>/dev/null &
watcher=$!
wait "$pid"; code=$?
echo "$code" > "$d/code"
wait "$watcher"
n=0
while [ $n -lt 20 ]; do
  [ -e "$d/out.done" ] && [ -e "$d/out.sha" ] && [ -e "$d/out.bytes" ] && [ -e "$d/err.done" ] && [ -e "$d/err.sha" ] && [ -e "$d/err.bytes" ] && break
  n=$((n + 1)); sleep 0.1
done
rm -f "$d/in"
echo "$code $started $(date +%s)" > "$d/exit.draft"
mv "$d/exit.draft" "$d/exit"`;

/** $1 is the verb, $2 the run. run: $3 bytes of standard input, $4 the supervisor, then its words from the limit on. */
const program = `set -u; umask 077
verb=$1 id=$2; shift 2
base=$HOME/.tocsin/runs d=$HOME/.tocsin/runs/$id
say() { printf '\\ntocsin-1 %s\\n' "$*"; }
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
one() { if [ -s "$d/$1" ]; then tr -d ' \\n' < "$d/$1"; else printf -- -; fi; }
size() { wc -c < "$d/$1.kept" | tr -d ' \\n'; }
tell() {
  misses=0
  while [ ! -e "$d/exit" ]; do
    pid= start=
    [ ! -e "$d/supervisor" ] || read -r pid start < "$d/supervisor"
    if [ -n "$pid" ] && [ "$(start_of "$pid")" = "$start" ]; then misses=0; else misses=$((misses + 1)); fi
    [ $misses -lt 20 ] || { say uncertain; exit 0; }
    sleep 0.1
  done
  say ended; cat "$d/exit"
  if [ -e "$d/stopped" ]; then cat "$d/stopped"; else echo '- 0'; fi
  for s in out err; do echo "$(one $s.bytes) $(one $s.sha) $(size $s)"; done
  cat "$d/out.kept" "$d/err.kept"
}
case $verb in
run)
  bytes=$1 watch=$2; shift 2
  for tool in setsid mkfifo sha256sum head tee env; do
    command -v $tool > /dev/null || { say "refused the host has no $tool"; exit 0; }
  done
  mkdir -p "$base" && in=$(mktemp "$base/in.XXXXXX") && cat > "$in" || { say "refused $base cannot be written"; exit 0; }
  [ "$(wc -c < "$in" | tr -d ' ')" = "$bytes" ] || { rm -f "$in"; say broken; exit 0; }
  find "$base" -mindepth 1 -maxdepth 1 -mtime +60 -exec rm -rf {} + 2> /dev/null
  if mkdir "$d" 2> /dev/null; then
    mv "$in" "$d/in"
    sync -f "$d" 2> /dev/null || sync
    setsid /bin/sh -c "$watch" tocsin "$d" "$@" < /dev/null > /dev/null 2>&1 &
  else rm -f "$in"
  fi
  tell ;;
ask) if [ -d "$d" ]; then tell; else say unknown; fi ;;
cancel) if [ -d "$d" ]; then : > "$d/cancel"; say cancelled; else say unknown; fi ;;
esac`;

export interface SshRun {
  /** Name of the folder. */
  readonly id: string;
  readonly commandId: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdinBytes: number;
  readonly timeLimitMs: number;
  readonly keepBytes: number;
  readonly graceMs: number;
}

/** Bytes of a command line: a kernel takes 131,072 for one argument (Linux, MAX_ARG_STRLEN), and the login shell gets it as one. */
export const maxCommandBytes = 120_000;

/** The command line that begins a run, or finds it, and tells how it ended. Throws RangeError for what no word can hold. */
export function runCommand(run: SshRun): string {
  const seconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));
  const environment = Object.entries({ TOCSIN_COMMAND_ID: run.commandId, ...run.environment });
  return commandOf([
    'run',
    run.id,
    String(run.stdinBytes),
    supervisor,
    seconds(run.timeLimitMs),
    String(run.keepBytes),
    seconds(run.graceMs),
    'PATH=/usr/local/bin:/usr/bin:/bin',
    'LANG=C.UTF-8',
    ...environment.map(([name, value]) => `${name}=${value}`),
    // A program whose path holds = would be a variable to env.
    '/bin/sh',
    '-c',
    'exec "$@"',
    'sh',
    ...run.words,
  ]);
}

export function askCommand(id: string): string {
  return commandOf(['ask', id]);
}

export function cancelCommand(id: string): string {
  return commandOf(['cancel', id]);
}

function commandOf(words: readonly string[]): string {
  return `exec /bin/sh -c ${[program, 'tocsin', ...words].map(quoteWord).join(' ')}`;
}
