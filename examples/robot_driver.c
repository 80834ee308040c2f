/* A robot driver for saferl_rt in 40 lines: sends observations, takes the command that answers each
 * within microseconds, and brakes by itself when commands run out. Here the robot follows perfectly
 * and nobody is near; put your bus into read_robot and drive_robot. Build and run for 500 ticks:
 *
 *   cc -std=c11 -I. examples/robot_driver.c -lm -o robot_driver
 *   ./robot_driver /dev/shm/saferl 500
 */
#include "saferl/control/shm_layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double brake[SAFERL_MAX_DOF] = {1.5, 3.5, 6, 6, 6, 6, 6, 6}; /* your robot file's */
static double q[SAFERL_MAX_DOF], u[SAFERL_MAX_DOF];

static void drive_robot(const saferl_shm* shm, const double* command, double dt) { /* your motors */
  memcpy(u, command, sizeof u);
  if (shm->kind == 0) /* a wheelchair: u = (v, omega), q = (x, y, heading) */
    q[0] += u[0] * cos(q[2]) * dt, q[1] += u[0] * sin(q[2]) * dt, q[2] += u[1] * dt;
  else
    for (uint32_t i = 0; i < shm->n; i++) q[i] += u[i] * dt;
}
static void read_robot(saferl_observation* o) { /* your encoders, lidar and people tracker */
  o->stamp_ns = o->state_stamp_ns = o->people_stamp_ns = o->lidar_stamp_ns = saferl_now_ns();
  o->sequence++, memcpy(o->q, q, sizeof q), memcpy(o->qd, u, sizeof u);
  o->n_lidar = SAFERL_MAX_LIDAR;
  for (int i = 0; i < o->n_lidar; i++) o->lidar_m[i] = INFINITY;
}
int main(int argc, char** argv) {
  saferl_shm* shm = saferl_shm_attach(argc > 1 ? argv[1] : "/dev/shm/saferl");
  if (shm == NULL) return perror("saferl_rt is not there"), 3;
  const int64_t period = (int64_t)shm->period_ns, ticks = argc > 2 ? atol(argv[2]) : 500;
  const double dt = (double)period * 1e-9;
  static saferl_observation observation;
  for (int64_t at = saferl_now_ns(), end = at + ticks * period; at < end; at += period) {
    saferl_command command = {0};
    const uint64_t seen = SAFERL_SEEN(shm, command);
    saferl_sleep_until(at), read_robot(&observation);
    SAFERL_PUT(shm, observation, &observation);
    SAFERL_WAIT(shm, command, seen, 50000, at + period / 2); /* 50 us of it awake */
    if (!SAFERL_GET(shm, command, &command) || !saferl_valid(&command)) {
      double share = 1; /* nothing valid: brake alone, all axes by the same share: the same path */
      for (uint32_t i = 0; i < shm->n; i++) share = fmin(share, brake[i] * dt / fabs(u[i]));
      for (uint32_t i = 0; i < shm->n; i++) command.u[i] = u[i] * (1 - share);
    }
    drive_robot(shm, command.u, dt);
  }
  return printf("q = %.3f %.3f %.3f\n", q[0], q[1], q[2]) < 0;
}
