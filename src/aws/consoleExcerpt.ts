// What an instance's console says of its boot, cut to what an event can show and cleared of what may be secret.

/** Each of the lines is cut to this. */
const LINE_LONGEST = 200;
/** What comes after that in a line is not looked at: it may have no end. */
const LINE_READ = 600;
/** Of the room, so much is for lines that speak of a failure, wherever they stand; the rest is for the last lines. */
const FAILURES_SHARE = 2 / 3;

const FAILURE = new RegExp(
  `\\b(${[
    'fail(s|ed|ure|ures)?|errors?|denied|refused|unauthorized|forbidden|timed ?out|timeout',
    'unable|cannot|could not|no such|not found|panic|invalid',
  ].join('|')})\\b`,
  'i',
);
/** The escape sequences of terminals (ECMA-48), and what else does not print. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go
const UNPRINTABLE = /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b[@-_]|[\u0000-\u0008\u000b-\u001f\u007f]/g;
/** A script that traces itself (`set -x`) writes its user data line by line, arguments and all. */
const TRACE = /(^|[\]:] ?)\++ \S/;
/** Login prompts, and cloud-init's tables of addresses and keys. */
const NOISE = /login:\s*$|\bci-info:/;
/** Kernel time stamps, by which repeated lines differ. */
const STAMP = /^\[\s*\d+\.\d+\]\s*/;

const SECRET_NAMES = [
  'pass(?:word|wd|phrase)?|secret|token|credentials?',
  'api[-_]?key|private[-_]?key|access[-_]?key',
].join('|');
const ASSIGNED = new RegExp(`((?:${SECRET_NAMES})[\\w-]*["']?\\s*[:=]\\s*)("[^"]*"|'[^']*'|\\S+)`, 'gi');

const SECRETS: readonly (readonly [pattern: RegExp, inPlace: string])[] = [
  [/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g, '[hidden]'],
  [/\b(A[KS]IA)[A-Z0-9]{12,}\b/g, '$1[hidden]'],
  [/\b(bearer|basic)\s+\S+/gi, '$1 [hidden]'],
  [/(:\/\/)[^\s/@]+@/g, '$1[hidden]@'],
  [/(https?:\/\/[^\s?]+)\?\S+/g, '$1?[hidden]'],
  [ASSIGNED, '$1[hidden]'],
  [/(--[\w-]*(?:password|secret|token|key)[\w-]*\s+)\S+/gi, '$1[hidden]'],
  // Certificates, keys, hashes: long, and with a digit somewhere, unlike the names of things.
  [/(?=[A-Za-z+]*\d)[A-Za-z0-9+]{28,}={0,2}/g, '[hidden]'],
];

/**
 * The lines that tell most, in their order: the last ones that speak of a failure, and the last of all.
 * Left out are traces of scripts, key blocks, login prompts, and repetitions; passwords, tokens and keys are hidden.
 * @param text as EC2 has it, decoded: up to 64 KB
 * @param mostCharacters of all the lines together
 */
export function consoleExcerpt(text: string, mostCharacters: number): readonly string[] {
  const lines = readable(text);
  const chosen = new Set<number>();
  let left = mostCharacters;
  const choose = (index: number, floor: number): boolean => {
    const length = lines[index]?.length ?? 0;
    if (chosen.has(index)) return true;
    if (left - length < floor) return false;
    chosen.add(index);
    left -= length;
    return true;
  };
  const backwards = lines.map((_, index) => lines.length - 1 - index);
  const failures = backwards.filter((index) => FAILURE.test(lines[index] ?? ''));
  const floor = Math.floor(mostCharacters * (1 - FAILURES_SHARE));
  for (const index of failures) if (!choose(index, floor)) break;
  for (const index of backwards) if (!choose(index, 0)) break;
  return lines.filter((_, index) => chosen.has(index));
}

/** One line each, clean, the last of those that repeat. */
function readable(text: string): readonly string[] {
  const lines: string[] = [];
  let isInBlock = false;
  for (const raw of text.split(/\r?\n|\r/)) {
    const line = raw.slice(0, LINE_READ).replace(UNPRINTABLE, '').replace(STAMP, '').trim();
    if (/-----BEGIN /.test(line)) isInBlock = true;
    const isHidden = isInBlock || line === '' || TRACE.test(line) || NOISE.test(line);
    if (/-----END /.test(line)) isInBlock = false;
    if (!isHidden) lines.push(short(withoutSecrets(line), LINE_LONGEST));
  }
  const lastOf = new Map(lines.map((line, index) => [line, index]));
  return lines.filter((line, index) => lastOf.get(line) === index);
}

function withoutSecrets(line: string): string {
  return SECRETS.reduce((text, [pattern, inPlace]) => text.replace(pattern, inPlace), line);
}

function short(line: string, longest: number): string {
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}
