// saferl_rt: the real-time loop as a program. Links the real-time plane only.
#include "saferl/control/rt_program.h"

int main(int argc, char** argv) { return saferl::control::RunRtProgram(argc, argv); }
