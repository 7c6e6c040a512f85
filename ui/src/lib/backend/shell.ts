// Generated from the shell's types by `cargo xtask types`. Do not edit.

import type { Fault, InvitationId, ServiceId } from '../types';

export type Platform = "linux" | "macos" | "windows";

export type Theme = "system" | "light" | "dark";

export type ShellState = { 
/**
 * Whether the program starts when the user logs in.
 */
autostart: boolean, 
/**
 * Whether desktop notifications are shown.
 */
notifications: boolean, 
/**
 * Whether the window is light or dark.
 */
theme: Theme, 
/**
 * The operating system.
 */
platform: Platform, 
/**
 * The program's version.
 */
version: string, 
/**
 * The path of the log file.
 */
log_file: string, 
/**
 * The name of whoever is logged in, proposed as the user's; empty if the system does not give it.
 */
user_name: string, 
/**
 * Whether the key is in a file that is encrypted with a passphrase, so that a start needs the passphrase.
 */
key_file: boolean, 
/**
 * Why the engine failed to start, or stopped.
 */
fault: Fault | null, };

export type ShellAction = { "action": "set-autostart", 
/**
 * Whether it is enabled.
 */
on: boolean, } | { "action": "set-notifications", 
/**
 * Whether they are enabled.
 */
on: boolean, } | { "action": "set-theme", 
/**
 * Light, dark, or as the desktop is.
 */
theme: Theme, } | { "action": "open-url", 
/**
 * `http` or `https`, on a loopback address.
 */
url: string, } | { "action": "copy", 
/**
 * The text.
 */
text: string, } | { "action": "show-logs" } | { "action": "copy-diagnostics" } | { "action": "quit" } | { "action": "retry-start" } | { "action": "use-key-file", 
/**
 * 1 to 4,096 bytes.
 */
passphrase: string, } | { "action": "restore", 
/**
 * The path of the backup.
 */
file: string, 
/**
 * The backup's passphrase.
 */
passphrase: string, } | { "action": "hide" } | { "action": "pin", 
/**
 * Whether it is kept there.
 */
on: boolean, };

export type ViewName = "home" | "share" | "invitations" | "contacts" | "activity" | "settings";

export type Navigate = { 
/**
 * The view.
 */
view: ViewName, 
/**
 * The invitation to scroll to.
 */
invitation?: InvitationId, 
/**
 * The service to open.
 */
service?: ServiceId, 
/**
 * Why the requested content cannot be shown.
 */
fault?: Fault, };
