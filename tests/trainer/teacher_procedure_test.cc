// SPDX-License-Identifier: Apache-2.0
//
// Procedures with a teacher: every stage learns the float net's logits too.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/procedure_support.h"
#include "trainer/procedures/folder.h"
#include "trainer/run/loaded_run.h"
#include "trainer/trainer_support.h"

namespace bitplane::train {
namespace {

using testing::Arguments;

class TeacherProcedure : public testing::FromFloatRun {
 protected:
  TeacherProcedure() : FromFloatRun({"--width", "0.25"}) {}

  /// Runs the procedure with and without the float net as teacher.
  void expect_taught(const std::string& method, const std::string& wbits) {
    for (const bool taught : {false, true}) {
      Arguments more{"--method", method, "--wbits", wbits};
      if (taught) more.insert(more.end(), {"--teacher", folder_ / "float"});
      expect_done(quantize(taught ? "taught" : "alone", more));
    }
    const ProcedureFolder folder = ProcedureFolder::open(folder_ / "taught");
    for (const PlannedStage& planned : folder.plan().stages) {
      SCOPED_TRACE(planned.folder);
      EXPECT_EQ(planned.config.teacher, folder_ / "float");
      EXPECT_TRUE(parameters(planned.config.out) != parameters(folder_ / ("alone/" + planned.folder)));
    }
  }

 private:
  static std::vector<std::uint32_t> parameters(const std::string& folder) {
    const LoadedRun loaded = load_run(folder, Which::Last);
    std::vector<std::uint32_t> all;
    for (const NamedParameter& p : named_parameters(*loaded.net)) {
      const auto some = testing::bits_of(p.parameter->variable.value());
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
};

TEST_F(TeacherProcedure, TtqLearnsFromIt) {
  expect_taught("ttq", "2");
}

TEST_F(TeacherProcedure, QilLearnsFromItAtEveryWidth) {
  expect_taught("qil", "3");
}

TEST_F(TeacherProcedure, EslqLearnsFromItInEveryPart) {
  expect_taught("eslq", "3");
}

}  // namespace
}  // namespace bitplane::train
