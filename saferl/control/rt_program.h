#pragma once
// saferl_rt as a function: configuration in, loop runs until a signal, exit status out.
//
// House recipe (docs/realtime.md): parse, load and verify, allocate, touch and lock memory, take
// the scheduling, say what was really got, warm up 1,000 ticks, then tick. RT: the loop inside.
// Errors: one line on stderr, exit codes of base/status.h.

namespace saferl::control {

int RunRtProgram(int argc, char** argv);

}  // namespace saferl::control
