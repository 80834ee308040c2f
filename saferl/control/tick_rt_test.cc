// The Tick keeps the real-time rules: no allocation, lock, system call or page fault, for every
// robot and arbitration.
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/control/black_box.h"
#include "saferl/control/tick.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

/// A page of code is a fault when it is first touched, however late that is; the real-time program
/// has them all locked.
void TouchCode() {
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void*) {
        const auto page = static_cast<uintptr_t>(getpagesize());
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          const uintptr_t begin = (info->dlpi_addr + segment.p_vaddr) / page * page;
          const uintptr_t end = info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
          madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
        }
        return 0;
      },
      nullptr);
}

class TickRt : public testing::TestWithParam<std::tuple<const char*, Arbitration>> {
 protected:
  void SetUp() override {
    auto model = MakeBenchModel(std::get<0>(GetParam()));
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    model_.arbitration.method = std::get<1>(GetParam());
    data_ = Prepare(model_);
    box_ = std::make_unique<BlackBox>(64);
    workload_ = std::make_unique<Workload>(model_.safety->robot);
    TouchCode();
    Run(1000);
  }
  void Run(int ticks) {
    for (int k = 0; k < ticks; ++k) {
      Tick(model_, workload_->Next(), data_.get(), &decision_);
      box_->Record(decision_);
      workload_->Apply(decision_.command);
    }
  }
  TickModel model_;
  std::unique_ptr<TickData, void (*)(TickData*)> data_{nullptr, nullptr};
  std::unique_ptr<BlackBox> box_;
  std::unique_ptr<Workload> workload_;
  Decision decision_;
};

TEST_P(TickRt, AllocatesLocksAndFaultsNever) {
  RtCounts counts;
  {
    RtScope scope(&counts);
    Run(2000);
  }
  EXPECT_EQ(counts.allocations, 0);
  EXPECT_EQ(counts.frees, 0);
  EXPECT_EQ(counts.locks, 0);
  EXPECT_EQ(counts.page_faults, 0);
}

TEST_P(TickRt, MakesNoSystemCall) {
  const auto count = CountSyscalls([this] { Run(500); });
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->calls, 0) << "first: system call number " << count->first;
}

TEST_P(TickRt, StopsAsQuietlyAsItDrives) {
  RtCounts counts;
  {
    RtScope scope(&counts);
    for (int k = 0; k < 200; ++k) {
      TickInput input = workload_->Next();
      if (k % 3 == 0) input.observation.n_parts = -1;
      if (k % 5 == 0) input.human.stop = true;
      if (k % 7 == 0) input.goals.n = 99;
      Tick(model_, input, data_.get(), &decision_);
      box_->Record(decision_);
      workload_->Apply(decision_.command);
    }
  }
  EXPECT_EQ(counts.allocations + counts.frees + counts.locks, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Robots, TickRt,
    testing::Combine(testing::Values("wheelchair", "arm7", "exoskeleton"),
                     testing::Values(Arbitration::kConfidence, Arbitration::kValue,
                                     Arbitration::kHindsight, Arbitration::kNeed)));

}  // namespace
}  // namespace saferl::control
