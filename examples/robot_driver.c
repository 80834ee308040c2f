/* A robot driver for saferl_rt: sends observations, takes commands, and brakes by itself when they run out.
 * Here the robot is a wheelchair that follows perfectly in an empty room; put your bus in read_robot and drive_robot.
 *
 *   cc -std=c11 -I. examples/robot_driver.c -lm -o robot_driver && ./robot_driver /dev/shm/saferl 500
 */
#include "saferl/control/shm_layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double q[3], u[2]; /* pose and twist of the robot */

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static void drive_robot(double v, double omega, double dt) { /* your motors */
  u[0] = v, u[1] = omega;
  q[0] += v * cos(q[2]) * dt, q[1] += v * sin(q[2]) * dt, q[2] += omega * dt;
}
static void read_robot(saferl_observation* o) { /* your encoders, lidar and people tracker */
  o->stamp_ns = o->state_stamp_ns = o->people_stamp_ns = o->lidar_stamp_ns = now_ns();
  o->sequence++;
  for (int i = 0; i < 3; i++) o->q[i] = q[i];
  for (int i = 0; i < 2; i++) o->qd[i] = u[i];
  o->n_lidar = SAFERL_MAX_LIDAR;
  for (int i = 0; i < o->n_lidar; i++) o->lidar_m[i] = INFINITY;
}
int main(int argc, char** argv) {
  saferl_shm* shm = saferl_shm_attach(argc > 1 ? argv[1] : "/dev/shm/saferl");
  if (shm == NULL) return perror("saferl_rt is not there"), 3;
  const double dt = (double)shm->period_ns * 1e-9;
  static saferl_observation observation;
  saferl_command command;
  double moved = 0;
  for (long tick = 0, ticks = argc > 2 ? atol(argv[2]) : 500; tick < ticks; tick++) {
    read_robot(&observation);
    SAFERL_PUT(shm, observation, &observation);
    const struct timespec period = {0, (long)shm->period_ns};
    nanosleep(&period, NULL);
    if (SAFERL_GET(shm, command, &command) && now_ns() <= command.issued_ns + command.valid_for_ns)
      drive_robot(command.u[0], command.u[1], dt);
    else { /* nothing valid: brake alone, at the rated 1.5 m/s^2 and 3.5 rad/s^2, along the same path */
      const double share = fmin(1.5 / fmax(fabs(u[0]), 1e-9), 3.5 / fmax(fabs(u[1]), 1e-9)) * dt;
      drive_robot(u[0] * fmax(0, 1 - share), u[1] * fmax(0, 1 - share), dt);
    }
    moved += fabs(u[0]) * dt;
  }
  return printf("moved %.3f m, x %.3f y %.3f yaw %.3f\n", moved, q[0], q[1], q[2]) < 0;
}
