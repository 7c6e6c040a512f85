// Notices as text. Pure.

import type { Notice } from './types';

/** `shown`: whether it needs a toast, because no row of the window shows it. */
export function describeNotice(notice: Notice): { text: string; shown: boolean } {
  switch (notice.notice) {
    case 'invited':
      return { text: `${notice.from} invites you to ${notice.service}`, shown: false };
    case 'knock':
      return { text: `${notice.from} asks for access to ${notice.service}`, shown: false };
    case 'joined':
      return { text: `${notice.from} joined ${notice.name}`, shown: true };
    case 'declined':
      return { text: `${notice.from} declined ${notice.name}`, shown: true };
    case 'gave-back':
      return { text: `${notice.from} gave up access to ${notice.name}`, shown: true };
    case 'portal-up':
      return { text: `${notice.name} is up at ${notice.address}`, shown: false };
    case 'portal-down':
      return { text: `${notice.name} is down. ${notice.fault.message}`, shown: false };
    case 'hub-lost':
      return { text: `Disconnected from hub ${notice.address}. ${notice.fault.message}`, shown: false };
    case 'hub-back':
      return { text: `Reconnected to hub ${notice.address}`, shown: false };
    case 'key-changed':
      return { text: `The key of ${notice.from} has changed`, shown: true };
    case 'key-refused':
      return { text: `A key of ${notice.from} was refused. ${notice.fault.message}`, shown: false };
  }
}
