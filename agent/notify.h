/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify: telling the service manager how the process is (systemd's notification protocol).
 *
 * One datagram to the socket that NOTIFY_SOCKET names; where it is not set, nothing happens. Thread:
 * any. Does not block.
 */
#ifndef GOFER_AGENT_NOTIFY_H
#define GOFER_AGENT_NOTIFY_H

/* Sends "READY=1", "STOPPING=1", "STATUS=text", "WATCHDOG=1", or several, a line each. */
void notify_send(const char *state);

/* How often the watchdog wants to hear from this process, in seconds; 0: never. */
double notify_watchdog_s(void);

#endif
