import { describe, expect, it } from 'vitest';
import * as format from '../../src/lib/format';
import { describeNotice } from '../../src/lib/notices';
import { byOwner, displayName, colorIndex, initials, matches } from '../../src/lib/person';
import { byDay, describeEvent } from '../../src/lib/audit';
import { remedy, tone } from '../../src/lib/remedy';
import { shareStructure } from '../../src/lib/structural_sharing';
import { serviceGlyph, guessService, portOf } from '../../src/lib/service';
import { attention, statusLine } from '../../src/lib/status';
import { withoutRamps } from '../../src/lib/traffic.svelte';
import { toChoice, toTerms, describeEnd, UNLIMITED } from '../../src/lib/terms';
import { FIXTURES } from '../../src/lib/backend/fixtures';
import type { AuditEntry } from '../../src/lib/types';

const NOW = new Date(2026, 2, 12, 14, 0, 0).getTime();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [-5, '0 B'],
    [999, '999 B'],
    [999.6, '1.0 kB'],
    [1234, '1.2 kB'],
    [34_567, '35 kB'],
    [999_499, '999 kB'],
    [999_700, '1.0 MB'],
    [1_500_000, '1.5 MB'],
    [12_340_000_000, '12.3 GB'],
    [9e20, '900000 PB'],
  ])('%d is %s', (count, text) => expect(format.bytes(count)).toBe(text));

  it('per second', () => expect(format.rate(2048)).toBe('2.0 kB/s'));
});

describe('durations', () => {
  it.each([
    [0, '0 ms'],
    [320.4, '320 ms'],
    [4200, '4.2 s'],
    [42_000, '42 s'],
    [3 * MINUTE, '3 min'],
    [2 * HOUR + 5 * MINUTE, '2 h 5 min'],
    [2 * HOUR, '2 h'],
    [3 * DAY + 4 * HOUR, '3 d 4 h'],
  ])('%d ms is %s', (ms, text) => expect(format.lasted(ms)).toBe(text));
});

describe('past times', () => {
  it.each([
    [0, 'just now'],
    [-5000, 'just now'],
    [44_000, 'just now'],
    [46_000, '1 min ago'],
    [12 * MINUTE, '12 min ago'],
    [2 * HOUR, '2 h ago'],
    [15 * HOUR, 'yesterday'],
    [3 * DAY, '3 days ago'],
    [10 * DAY, '2 Mar'],
    [400 * DAY, '5 Feb 2025'],
  ])('%d ms before is %s', (gone, text) => expect(format.ago(NOW - gone, NOW)).toBe(text));

  it('days have headings', () => {
    expect(format.day(NOW, NOW)).toBe('Today');
    expect(format.day(NOW - DAY, NOW)).toBe('Yesterday');
    expect(format.day(NOW - 3 * DAY, NOW)).toMatch(/^Monday,? 9 March$/u);
  });
});

describe('future times', () => {
  it.each([
    [-1, 'now'],
    [30_000, 'in less than a minute'],
    [5 * MINUTE, 'in 5 min'],
    [3 * HOUR, 'in 3 h'],
    [6 * DAY, 'in 6 days'],
    [30 * DAY, 'on 11 Apr'],
  ])('%d ms on is %s', (left, text) => expect(format.until(NOW + left, NOW)).toBe(text));
});

it('counts with singular and plural', () => {
  expect(format.count(1, 'person', 'people')).toBe('1 person');
  expect(format.count(1200, 'person', 'people')).toBe('1,200 people');
});

it('shortens identifiers, not short ones', () => {
  expect(format.short('I0123456789abcdef0123')).toBe('I01234567…ef0123');
  expect(format.short('Iabc')).toBe('Iabc');
});

describe('initials', () => {
  it.each([
    ['Ada Lovelace', 'AL'],
    ['ada', 'A'],
    ['Grace Brewster Murray Hopper', 'GH'],
    ['  spaced   out ', 'SO'],
    ['王小明', '王'],
    ['دينا كوهين', 'دك'],
    ['🚀 Rocket', 'R'],
    ['👩🏽‍🚀', '👩🏽‍🚀'],
    ['<b>bold</b>', 'B'],
    ['', '?'],
    ['   ', '?'],
    ['élodie', 'É'],
  ])('%s is %s', (name, letters) => expect(initials(name)).toBe(letters));

  it('a very long name is handled', () => expect(initials('x'.repeat(1e6))).toBe('X'));
});

it('a name without visible characters is unnamed', () => {
  expect(displayName(' \u200b\u202e ')).toBe('Unnamed');
  expect(displayName('Ada')).toBe('Ada');
});

it('a person always has the same colour', () => {
  expect(colorIndex('Iabc')).toBe(colorIndex('Iabc'));
  expect(new Set(Array.from({ length: 64 }, (_, i) => colorIndex(`I${i}`))).size).toBe(8);
});

it('groups by owner, in the order of first appearance', () => {
  const item = (owner: string, n: number) => ({ owner, owner_name: owner.toUpperCase(), owner_verified: owner === 'a', n });
  const groups = byOwner([item('b', 1), item('a', 2), item('b', 3)]);
  expect(groups.map((g) => [g.owner, g.name, g.verified, g.items.map((i) => i.n)])).toEqual([
    ['b', 'B', false, [1, 3]],
    ['a', 'A', true, [2]],
  ]);
});

it('finds every word anywhere', () => {
  expect(matches('order 5432', 'Orders', 'localhost:5432', null)).toBe(true);
  expect(matches('order 5433', 'Orders', 'localhost:5432', null)).toBe(false);
  expect(matches('', 'x')).toBe(true);
});

describe('a service from its address', () => {
  it.each([
    ['5432', 5432],
    ['localhost:3000', 3000],
    ['[::1]:22', 22],
    ['localhost', null],
    ['host:0', null],
    ['host:70000', null],
    ['host:12345678', null],
    ['', null],
  ])('%s has port %s', (target, port) => expect(portOf(target)).toBe(port));

  it('has a name, a protocol and an icon', () => {
    expect(guessService('nas:5432')).toEqual({ name: 'PostgreSQL', kind: 'tcp' });
    expect(guessService('3000')).toEqual({ name: 'Dev server', kind: 'http' });
    expect(guessService('4711')).toEqual({ name: 'Port 4711', kind: 'tcp' });
    expect(serviceGlyph('tcp', 'x:22')).toBe('terminal');
    expect(serviceGlyph('http', 'x:22')).toBe('globe');
    expect(serviceGlyph('tcp', 'x:4711')).toBe('plug');
  });
});

describe('terms', () => {
  it('count from now', () => {
    expect(toTerms({ ...UNLIMITED, span: 'hour' }, NOW)).toEqual({ until: NOW + HOUR, until_quit: false, connections: null });
    expect(toTerms({ ...UNLIMITED, span: 'quit', connections: '2' }, NOW)).toEqual({ until: null, until_quit: true, connections: 2 });
    expect(toTerms({ ...UNLIMITED, connections: 'many' }, NOW).connections).toBeNull();
    expect(toTerms({ ...UNLIMITED, connections: '-1' }, NOW).connections).toBeNull();
  });

  it('last until the end of the chosen day', () => {
    const { until } = toTerms({ ...UNLIMITED, span: 'date', day: '2026-03-20' }, NOW);
    expect(new Date(until!).toString()).toContain('Mar 20 2026 23:59:59');
    expect(toChoice({ until, until_quit: false, connections: 3 })).toEqual({ span: 'date', day: '2026-03-20', connections: '3' });
  });

  it('are formatted', () => {
    expect(describeEnd({ until: null, until_quit: false, connections: null }, NOW)).toBe('');
    expect(describeEnd({ until: null, until_quit: true, connections: null }, NOW)).toBe('until you quit Postern');
    expect(describeEnd({ until: NOW + 3 * DAY, until_quit: false, connections: null }, NOW)).toBe('ends in 3 days');
    expect(describeEnd({ until: NOW - DAY, until_quit: false, connections: null }, NOW)).toBe('ended 11 Mar');
  });
});

describe('the chart', () => {
  it('falls to zero in an idle time instead of drawing a ramp', () => {
    const at = (ms: number) => ({ at: ms, up: 5, down: 5 });
    expect(withoutRamps([at(0), at(500), at(20_000)]).map(({ at, down }) => [at, down])).toEqual([
      [0, 5],
      [500, 5],
      [1000, 0],
      [19_500, 0],
      [20_000, 5],
    ]);
    // A late sample is no gap.
    expect(withoutRamps([at(0), at(1500)])).toHaveLength(2);
  });
});

describe('how long something has lasted', () => {
  it.each([
    [-5000, 'just now'],
    [59_000, 'just now'],
    [2 * MINUTE, 'for 2 min'],
    [3 * HOUR, 'for 3 h'],
    [DAY, 'for 1 day'],
    [6 * DAY, 'for 6 days'],
  ])('%d ms is %s', (ms, text) => expect(format.lasting(NOW - ms, NOW)).toBe(text));
});

describe('the status line', () => {
  const of = (name: string) => statusLine(FIXTURES[name]!(NOW).snapshot!);
  it.each([
    ['empty', 'Nothing shared yet'],
    ['home', 'Sharing 2, using 2'],
    ['busy', '6 connections open'],
    ['attention', '1 service down · 2 requests waiting'],
    ['offline', 'Offline'],
    ['paused', 'Everything is paused'],
  ])('of %s is %s', (fixture, text) => expect(of(fixture).text).toBe(text));

  it('counts what is down, but not what was paused or has ended', () => {
    expect(of('owner-down')).toEqual({ tone: 'bad', text: '9 portals down' });
  });

  it('counts pending requests', () => expect(attention(FIXTURES['attention']!(NOW).snapshot!)).toBe(2));
});

describe('remedies', () => {
  it('depend on the code only', () => {
    expect(remedy('hub-unreachable')?.request).toEqual({ request: 'retry' });
    expect(remedy('no-way-in')?.go).toBe('settings');
    expect(remedy('failed')).toBeNull();
    expect(tone('owner-offline')).toBe('warn');
    expect(tone('paused-by-owner')).toBe('plain');
    expect(tone('not-trusted')).toBe('bad');
  });
});

describe('audit entries', () => {
  const text = (deed: AuditEntry['deed']) => {
    const line = describeEvent(deed);
    return [line.pieces.map((p) => ('name' in p ? p.name : p.text)).join(''), line.detail].filter(Boolean).join('. ');
  };

  it('are sentences', () => {
    expect(text({ deed: 'connection', service: 'DB', person: 'I', name: 'Ada', up_bytes: 10, down_bytes: 2000, lasted_ms: 4200, ended: null })).toBe('Ada used DB. 4.2 s, ↑ 2.0 kB ↓ 10 B');
    expect(text({ deed: 'refused', service: 'DB', person: 'I', name: null, code: 'revoked' })).toBe('An unknown person was denied access to DB. access had ended');
    expect(text({ deed: 'grant', service: 'DB', person: 'I', name: 'Ada', what: 'given-back' })).toBe('Ada gave up access to DB');
    expect(text({ deed: 'contact', person: 'I', name: 'Ada', what: 'key-changed' })).toBe('The key of Ada has changed');
    expect(text({ deed: 'service', service: 'DB', what: 'something new' })).toBe('DB something new');
    expect(text({ deed: 'service', service: 'DB', what: 'shared' })).toBe('You shared DB');
    expect(text({ deed: 'invitation', service: 'DB', person: 'I', name: 'Ada', what: 'made' })).toBe('You invited Ada to DB');
    expect(text({ deed: 'grant', service: 'DB', person: 'I', name: 'Ada', what: 'revoked' })).toBe('You ended Ada’s access to DB');
    expect(text({ deed: 'grant', service: 'DB', person: 'I', name: 'Ada', what: 'expired' })).toBe('Ada’s access to DB expired');
  });

  it('are grouped by day in their order', () => {
    const entry = (number: number, at: number): AuditEntry => ({ number, at, hash: '', deed: { deed: 'service', service: 'x', what: 'shared' } });
    const days = byDay([entry(3, 30), entry(2, 22), entry(1, 21)], (at) => String(Math.floor(at / 10)));
    expect(days.map((d) => d.entries.map((r) => r.number))).toEqual([[3], [2, 1]]);
  });
});

it('a notice is formatted', () => {
  expect(describeNotice({ notice: 'hub-back', address: 'h:1' })).toEqual({ text: 'Reconnected to hub h:1', shown: false });
  expect(describeNotice({ notice: 'joined', service: 'x', from: 'Ada', name: 'DB' }).shown).toBe(true);
});

describe('structural sharing', () => {
  const before = { a: [{ id: '1', deep: { x: [1, 2] } }, { id: '2', deep: null }], b: 'x' };

  it('keeps an equal object', () => {
    expect(shareStructure(before, structuredClone(before))).toBe(before);
  });

  it('matches items by id when one is added or removed', () => {
    const after = structuredClone(before);
    after.a.unshift({ id: '0', deep: null });
    const result = shareStructure(before, after);
    expect(result).toEqual(after);
    expect(result.a[1]).toBe(before.a[0]);
  });

  it('does not hide changes', () => {
    const after = structuredClone(before);
    after.a[0]!.deep = { x: [1, 3] };
    const result = shareStructure(before, after);
    expect(result).toEqual(after);
    expect(result.a[0]).not.toBe(before.a[0]);
    expect(result.a[1]).toBe(before.a[1]);
  });

  it.each([[null, [1]], [[1], null], [{}, []], [undefined, { a: 1 }], [{ a: 1, b: 2 }, { a: 1 }]])('%j becomes %j', (old, now) => {
    expect(shareStructure(old, now)).toEqual(now);
  });
});
