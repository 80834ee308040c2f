/* A person for saferl_rt who wants one command for some seconds.
 *
 *   cc -std=c11 -I. examples/person.c -o person
 *   ./person /dev/shm/saferl 3 0.5 0.2     (for 3 s, u0 = 0.5, u1 = 0.2, ...)
 */
#include "saferl/control/shm_layout.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  saferl_shm* shm = argc > 3 ? saferl_shm_attach(argv[1]) : NULL;
  if (shm == NULL)
    return fprintf(stderr, "usage: person SHM SECONDS U0 [U1 ...], with saferl_rt running\n"), 2;
  saferl_human human = {.enabled = 1};
  for (int i = 0; i < SAFERL_MAX_DOF && i + 3 < argc; i++) human.u[i] = atof(argv[i + 3]);
  for (long tick = 0, ticks = (long)(100 * atof(argv[2])); tick < ticks; tick++) {
    human.stamp_ns = saferl_now_ns();
    human.sequence++;
    SAFERL_PUT(shm, human, &human);
    nanosleep(&(struct timespec){0, 10000000}, NULL);
  }
  saferl_command command = {0};
  SAFERL_GET(shm, command, &command);
  return printf("mode %d, reason %d, u = %.3f %.3f\n", command.mode, command.reason, command.u[0],
                command.u[1]) < 0;
}
