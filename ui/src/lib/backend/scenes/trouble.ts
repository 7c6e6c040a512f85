// What waits for the person, and everything that can be wrong.

import type { Fault, Snapshot } from '../../types';
import { base, contact, DAY, DIRECT, fault, HOUR, identifier, inlet, MINUTE, person, scene, type Scene, service, SHELL } from './build';
import { everyday, receipts } from './everyday';

export function attention(now: number): Scene {
  const snapshot = everyday(now);
  snapshot.status = 'attention';
  snapshot.knocks = [
    {
      invitation: 'sent-1',
      person: identifier('Edsger'),
      name: 'Edsger',
      words: 'violet harbor comet fern',
      service: 'notebook',
      service_name: 'Notebook',
      at: now - MINUTE,
    },
  ];
  snapshot.invitations = [
    {
      id: 'received-1',
      owner: identifier('Barbara Liskov'),
      owner_name: 'Barbara Liskov',
      owner_known: false,
      owner_verified: false,
      words: 'tundra pepper silver gate',
      service_name: 'Test cluster',
      kind: 'https',
      description: 'The cluster for this week’s workshop.',
      port: 8443,
      expires: now + 6 * DAY,
      state: { state: 'new' },
    },
    {
      id: 'received-2',
      owner: identifier('Grace Hopper'),
      owner_name: 'Grace Hopper',
      owner_known: true,
      owner_verified: true,
      words: 'amber falcon river stone',
      service_name: 'Compiler logs',
      kind: 'tcp',
      description: null,
      port: 7000,
      expires: now + 2 * DAY,
      state: {
        state: 'accepting',
        fault: fault('owner-offline', 'Grace Hopper is not online. It is set up as soon as their Postern is back.'),
      },
    },
    {
      id: 'received-3',
      owner: identifier('Alan Turing'),
      owner_name: 'Alan Turing',
      owner_known: true,
      owner_verified: false,
      words: 'copper meadow lantern oak',
      service_name: 'Old notes',
      kind: 'http',
      description: null,
      port: 8081,
      expires: now - DAY,
      state: { state: 'over', fault: fault('ticket-used', 'Somebody else has used this invitation. Ask for a new one.') },
    },
  ];
  snapshot.troubles = [
    fault('keychain-failed', 'The keychain did not answer. Your key is safe; changes to it wait until the keychain is back.'),
  ];
  snapshot.services[1]!.health = {
    state: 'down',
    fault: fault('service-down', 'Nothing answers at localhost:5432. Start the database, or change the address.'),
    since: now - 25 * MINUTE,
  };
  snapshot.contacts[1]!.key_changed = true;
  return scene(snapshot, { receipts: receipts(now) });
}

export function offline(now: number): Scene {
  const snapshot = everyday(now);
  const gone = fault('hub-unreachable', 'hub.example.org cannot be reached. Postern keeps trying; check your network.');
  snapshot.status = 'offline';
  snapshot.hubs[0]!.link = { state: 'down', fault: gone, since: now - 8 * MINUTE };
  for (const view of snapshot.inlets) {
    if (view.on) view.link = { state: 'down', fault: gone, since: now - 8 * MINUTE };
  }
  return scene(snapshot, { receipts: receipts(now) });
}

/** A portal in every state in which it is not up. */
export function ownerDown(now: number): Scene {
  const faults: Fault[] = [
    fault('owner-offline', 'Grace’s Postern is not online. It comes back by itself when theirs does.'),
    fault('service-down', 'Grace is online, but the service does not answer. Tell them.'),
    fault('paused-by-owner', 'Grace has paused it. It comes back when they resume it.'),
    fault('service-closed', 'Grace does not share it any more. Remove it, or ask.'),
    fault('revoked', 'Grace has taken the access back. Ask for a new invitation.'),
    fault('expired', 'The access has ended. Ask for a new invitation.'),
    fault('hub-unreachable', 'hub.example.org cannot be reached. Check your network.'),
    fault('port-taken', 'Port 5432 is used by postgres. Choose another port in Name and port.'),
    fault('not-trusted', 'Who answers there is not Grace. Nothing was sent.'),
    fault('key-changed', 'Grace’s key has changed. Compare the words before you use it.'),
    fault('blocked', 'You have blocked Grace.'),
    fault('timed-out', 'Grace’s computer answers too slowly.'),
    fault('too-many', 'Too many connections are open. Close some.'),
    fault('asked', 'Grace is being asked.'),
    fault('denied', 'Grace said no.'),
    fault('paused', 'Everything is paused here.'),
    fault('failed', 'It failed for a reason that the log tells.'),
  ];
  const snapshot = everyday(now);
  snapshot.inlets = [
    ...faults.map((why, i) =>
      inlet(`down-${why.code}`, `Portal: ${why.code}`, 'Grace Hopper', 7000 + i, {
        owner_verified: true,
        link: { state: 'down', fault: why, since: now - (i + 1) * 7 * MINUTE },
      }),
    ),
    inlet('connecting', 'Portal: connecting', 'Grace Hopper', 7100, { owner_verified: true, link: { state: 'connecting' } }),
    inlet('measured', 'Portal: not measured yet', 'Grace Hopper', 7101, {
      owner_verified: true,
      link: { ...DIRECT, round_trip_ms: null } as typeof DIRECT,
    }),
  ];
  return scene(snapshot, { receipts: receipts(now) });
}

export function keychainLocked(): Scene {
  return scene(null, {
    shell: {
      ...SHELL,
      fault: fault('keychain-locked', 'Postern’s key rests in it. Unlock the keychain, then try again.'),
    },
  });
}

/** Names that try to break out, or do not end. */
export function strange(now: number): Scene {
  const names = [
    'Maximiliana-Alexandrina von und zu Hohenlohe-Waldenburg-Schillingsfürst the Third of That Name and Her Most Patient Engineers',
    'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft',
    'فاطمة الزهراء بنت محمد',
    'דנה כהן-לוי',
    '👩🏽‍🚀🌈🚀',
    '<img src=x onerror="document.title=\'owned\'"><b>bold</b>',
    '\u202Egnp.exe\u202C',
    '王小明',
    '   ',
    "Robert'); DROP TABLE contacts;--",
  ];
  const snapshot: Snapshot = {
    ...base(),
    status: 'attention',
    me: { identifier: identifier('me'), name: names[0]! },
    services: names.map((name, i) =>
      service(`strange-${i}`, name, `localhost:${3000 + i}`, now, {
        kind: i % 2 ? 'tcp' : 'http',
        description: `${name}\n<script>document.title='owned'</script>`,
        people: names.map((who, j) => person(who, `strange-${i}`, { person: identifier(`${who}${j}`), last_used: now - HOUR })),
      }),
    ),
    inlets: names.map((name, i) => inlet(`strange-in-${i}`, name, names[(i + 3) % names.length]!, 4000 + i, { kind: 'http', owner_verified: i % 2 === 0 })),
    knocks: [
      {
        invitation: 'strange-knock',
        person: identifier('x'),
        name: names[5]!,
        words: 'violet harbor comet fern',
        service: 'strange-0',
        service_name: names[2]!,
        at: now,
      },
    ],
    invitations: names.slice(1, 4).map((name, i) => ({
      id: `strange-invitation-${i}`,
      owner: identifier(name),
      owner_name: name,
      owner_known: false,
      owner_verified: false,
      words: 'tundra pepper silver gate',
      service_name: names[5 - i]!,
      kind: 'http' as const,
      description: `<b>${name}</b> `.repeat(8),
      port: 8000 + i,
      expires: now + DAY,
      state: { state: 'new' as const },
    })),
    contacts: names.map((name, i) => contact(name, now, { identifier: identifier(`${name}${i}`), own_name: names[(i + 1) % names.length]! })),
  };
  return scene(snapshot, {
    receipts: receipts(now, 10).map((receipt, i) => ({
      ...receipt,
      deed: { deed: 'connection', service: names[i]!, person: identifier(names[i]!), name: names[(i + 2) % names.length]!, up_bytes: 10, down_bytes: 2000, lasted_ms: 300, ended: names[5]! },
    })),
  });
}

export function fiveHundred(now: number): Scene {
  const friends = Array.from({ length: 120 }, (_, i) => `Friend ${i + 1}`);
  const snapshot: Snapshot = {
    ...base(),
    status: 'ready',
    services: Array.from({ length: 500 }, (_, i) =>
      service(`many-${i}`, `Service ${i + 1}`, `localhost:${10_000 + i}`, now, {
        kind: i % 3 === 0 ? 'http' : 'tcp',
        on: i % 7 !== 0,
        people: friends.slice(i % 20, (i % 20) + (i % 6)).map((name) => person(name, `many-${i}`, { last_used: now - i * MINUTE })),
      }),
    ),
    inlets: Array.from({ length: 500 }, (_, i) =>
      inlet(`many-in-${i}`, `Portal ${i + 1}`, friends[i % 40]!, 20_000 + i, { kind: i % 2 ? 'http' : 'tcp' }),
    ),
    contacts: friends.map((name) => contact(name, now)),
  };
  return scene(snapshot, { receipts: receipts(now, 1000) });
}
