// Formats numbers, times and identifiers. Pure: the current time is an argument.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `0 B`, `999 B`, `1.2 kB`, `34 MB`. Decimal, as file managers count. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : value >= 9.95 ? (unit > 2 ? 1 : 0) : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Bytes per second. */
export function rate(perSecond: number): string {
  return `${bytes(perSecond)}/s`;
}

/** How long something took: `320 ms`, `4.2 s`, `3 min`, `2 h 5 min`. */
export function lasted(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.round(ms / MINUTE)} min`;
  if (ms < DAY) return pair(ms, HOUR, 'h', MINUTE, 'min');
  return pair(ms, DAY, 'd', HOUR, 'h');
}

function pair(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const whole = Math.floor(ms / big);
  const rest = Math.floor((ms % big) / small);
  return rest === 0 ? `${whole} ${bigName}` : `${whole} ${bigName} ${rest} ${smallName}`;
}

/** A past time: `just now`, `5 min ago`, `yesterday`, `12 Mar`. */
export function ago(at: number, now: number): string {
  const gone = now - at;
  if (gone < 45 * SECOND) return 'just now';
  if (gone < HOUR) return `${Math.max(1, Math.round(gone / MINUTE))} min ago`;
  if (gone < DAY && sameDay(at, now)) return `${Math.floor(gone / HOUR)} h ago`;
  const days = daysBetween(at, now);
  if (days <= 1) return days === 0 ? `${Math.floor(gone / HOUR)} h ago` : 'yesterday';
  if (days < 7) return `${days} days ago`;
  return date(at, now);
}

/** How long something has lasted: `just now`, `for 5 min`, `for 3 h`, `for 6 days`. */
export function lasting(since: number, now: number): string {
  const past = Math.max(0, now - since);
  if (past < MINUTE) return 'just now';
  if (past < HOUR) return `for ${Math.floor(past / MINUTE)} min`;
  if (past < DAY) return `for ${Math.floor(past / HOUR)} h`;
  return `for ${count(Math.floor(past / DAY), 'day')}`;
}

/** A future time: `in 5 min`, `in 3 h`, `in 6 days`, `on 12 Mar`; `now` when it has come. */
export function until(at: number, now: number): string {
  const left = at - now;
  if (left <= 0) return 'now';
  if (left < MINUTE) return 'in less than a minute';
  if (left < HOUR) return `in ${Math.round(left / MINUTE)} min`;
  if (left < 36 * HOUR) return `in ${Math.round(left / HOUR)} h`;
  if (left < 14 * DAY) return `in ${Math.round(left / DAY)} days`;
  return `on ${date(at, now)}`;
}

/** `12 Mar`, with the year when it is another one. */
export function date(at: number, now: number): string {
  const there = new Date(at);
  const year = there.getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  return there.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year });
}

/** `14:05`. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}

/** The heading of a day: `Today`, `Yesterday`, `Wednesday 12 March`. */
export function day(at: number, now: number): string {
  const days = daysBetween(at, now);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  return new Date(at).toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long', year });
}

function sameDay(a: number, b: number): boolean {
  return daysBetween(a, b) === 0;
}

function daysBetween(at: number, now: number): number {
  const midnight = (t: number) => {
    const there = new Date(t);
    return Date.UTC(there.getFullYear(), there.getMonth(), there.getDate());
  };
  return Math.round((midnight(now) - midnight(at)) / DAY);
}

/** `1 connection`, `3 connections`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

/** `3f09 a1bc … 77d2`: enough of an identifier to compare by eye. */
export function short(identifier: string): string {
  return identifier.length <= 16 ? identifier : `${identifier.slice(0, 9)}…${identifier.slice(-6)}`;
}
