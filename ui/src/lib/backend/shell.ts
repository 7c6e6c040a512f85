// Written from the shell's types by `cargo xtask types`. Do not edit.

import type { Fault, InvitationId, ServiceId } from '../types';

export type Platform = "linux" | "macos" | "windows";

export type ShellState = { 
/**
 * Whether the program starts with the desktop.
 */
autostart: boolean, 
/**
 * Whether the desktop's notifications are used.
 */
notifications: boolean, 
/**
 * The system it runs on.
 */
platform: Platform, 
/**
 * The program's version.
 */
version: string, 
/**
 * Where the log is written.
 */
log_file: string, 
/**
 * Why the engine did not start.
 */
fault: Fault | null, };

export type ShellAction = { "action": "set-autostart", 
/**
 * Whether.
 */
on: boolean, } | { "action": "set-notifications", 
/**
 * Whether.
 */
on: boolean, } | { "action": "open-url", 
/**
 * `http` or `https`, on this computer.
 */
url: string, } | { "action": "copy", 
/**
 * It.
 */
text: string, } | { "action": "show-logs" } | { "action": "copy-diagnostics" } | { "action": "quit" } | { "action": "retry-start" } | { "action": "hide" } | { "action": "pin", 
/**
 * Whether.
 */
on: boolean, };

export type ViewName = "home" | "share" | "invitations" | "contacts" | "activity" | "settings";

export type Navigate = { 
/**
 * Which.
 */
view: ViewName, 
/**
 * Which invitation in it.
 */
invitation?: InvitationId, 
/**
 * Which service in it.
 */
service?: ServiceId, 
/**
 * Why what was asked for cannot be shown.
 */
fault?: Fault, };
