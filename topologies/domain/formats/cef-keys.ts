// The keys of the CEF dictionary that an event of ours can fill: kind and longest value of each.
// Source: "ArcSight CEF Implementation Standard" version 27, "ArcSight Extension Dictionary" (producer keys), CEF 0.1 and 1.2. Left out
// are keys that only consumers set (eventId, rawEvent, agt, ...) and flexString1/2 and flexNumber1/2, which belong to the customer.

export type CefKind = 'text' | 'id' | 'ipv4' | 'ipv6' | 'host' | 'time' | 'integer' | 'number';

export interface CefKey {
  readonly kind: CefKind;
  /** Most characters of a text. */
  readonly max: number;
  /** The key needs `<key>Label` beside it. */
  readonly labelled: boolean;
}

const texts: readonly (readonly [max: number, keys: string])[] = [
  [31, 'app proto'],
  [32, 'threatAttackID'],
  [40, 'threatActor'],
  [63, 'act outcome'],
  [100, 'dvchost'],
  [
    255,
    'deviceExternalId deviceFacility deviceInboundInterface deviceOutboundInterface dntdom sntdom dproc sproc',
  ],
  [255, 'deviceDnsDomain destinationDnsDomain sourceDnsDomain fileHash oldFileHash'],
  [256, 'frameworkName'],
  [1023, 'cat msg reason request requestMethod requestContext requestCookies requestClientApplication'],
  [
    1023,
    'fname filePath fileId filePermission fileType oldFileName oldFilePath oldFileId oldFilePermission oldFileType',
  ],
  [1023, 'duser duid dpriv suser suid spriv deviceProcessName sourceServiceName destinationServiceName'],
];
const others: Readonly<Record<Exclude<CefKind, 'text' | 'number'>, string>> = {
  id: 'externalId',
  ipv4: 'src dst dvc sourceTranslatedAddress destinationTranslatedAddress deviceTranslatedAddress',
  ipv6: '',
  host: 'shost dhost',
  time: 'rt start end fileCreateTime fileModificationTime oldFileCreateTime oldFileModificationTime',
  integer:
    'cnt dpt spt in out dpid spid dvcpid fsize oldFileSize type deviceDirection sourceTranslatedPort destinationTranslatedPort',
};

const externalIdLimit = 40;
const keys = new Map<string, CefKey>();
for (const [max, names] of texts)
  for (const name of names.split(' ')) keys.set(name, { kind: 'text', max, labelled: false });
for (const [kind, names] of Object.entries(others) as [CefKind, string][])
  for (const name of names.split(' ').filter((each) => each !== ''))
    keys.set(name, { kind, max: kind === 'id' ? externalIdLimit : 1023, labelled: false });
for (let n = 1; n <= 6; n++) keys.set(`cs${n}`, { kind: 'text', max: 4000, labelled: true });
for (let n = 1; n <= 3; n++) keys.set(`cn${n}`, { kind: 'integer', max: 20, labelled: true });
for (let n = 1; n <= 4; n++) keys.set(`cfp${n}`, { kind: 'number', max: 30, labelled: true });
for (let n = 1; n <= 4; n++) keys.set(`c6a${n}`, { kind: 'ipv6', max: 45, labelled: true });
for (let n = 1; n <= 2; n++) keys.set(`deviceCustomDate${n}`, { kind: 'time', max: 13, labelled: true });

/** By key. `id` is a text that is left out rather than cut; `host` one that is no IP address. */
export const cefKeys: ReadonlyMap<string, CefKey> = keys;
