/* The binary form of the control stream (WebSocket /inference/stream): one saferl_tick in, one
 * saferl_command out, made of the records of shared memory. C11 and C++.
 *
 * Little endian, natural alignment, reserved bytes 0. Robot, type and model stand in the stream's
 * address (?robot=r1&type=wheelchair), so a driver needs no text. Stamps are of the robot's clock.
 * The receiver of commands brakes by itself when now > issued_ns + valid_for_ns.
 */
#pragma once

#include "saferl/control/shm_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct saferl_tick {
  uint32_t version; /* 1 */
  uint32_t size;    /* sizeof(saferl_tick) */
  int64_t now_ns;
  uint64_t sequence; /* comes back in the command */
  saferl_observation observation;
  saferl_human human;
  saferl_goals goals;
  saferl_proposal proposal;
  uint8_t stop_requested, reserved[7];
} saferl_tick;

#ifdef __cplusplus
} /* extern "C" */
#endif
