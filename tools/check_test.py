#!/usr/bin/env python3
"""Self-test of tools/check: a clean little tree passes, and each planted defect is caught by its check."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).resolve().parent / "check"

CLEAN = {
    "CMakeLists.txt": "saferl_room(base EXTERNAL yaml-cpp)\nsaferl_room(math ROOMS base)\nsaferl_room(robot ROOMS math)\n",
    "saferl/base/a.h": "#pragma once\n",
    "saferl/base/yaml.cc": "#include <yaml-cpp/parser.h>\n",
    "saferl/math/b.cc": '#include "saferl/base/a.h"\n',
    "saferl/robot/c_test.cc": '#include <gtest/gtest.h>\n\nTEST(Arm, Stops) {}\n',
    "docs/safety.md": "# Safety\n\n| SR-001 | stops | Arm.Stops |\n",
    "README.md": "# Read me\n\n[safety](docs/safety.md#safety) [web](https://example.org) `[x](gone.md)`\n",
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n- something\n",
}


def run(changes, *checks):
    """Exit status and output of tools/check on the clean tree with `changes` (None = file removed)."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**CLEAN, **changes}.items():
            if text is not None:
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, str(CHECK), *checks], env={**os.environ, "CHECK_ROOT": root},
                                capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr


class CheckTest(unittest.TestCase):
    def caught(self, check, changes, words):
        status, output = run(changes, check)
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def test_clean_tree_passes(self):
        status, output = run({}, "rooms", "sizes", "reqs", "links", "changelog")
        self.assertEqual(status, 0, output)

    def test_room_edges(self):
        self.caught("rooms", {"saferl/base/d.cc": '#include "saferl/math/b.h"\n'}, "room base may not include math")
        self.caught("rooms", {"saferl/attic/d.cc": "\n"}, "no saferl_room() line")
        self.caught("rooms", {"saferl/math/d.cc": "#include <yaml-cpp/parser.h>\n"}, "belongs into the adapter")
        self.caught("rooms", {"saferl/base/y.h": "#include <yaml-cpp/parser.h>\n"}, "in a header")
        self.caught("rooms", {"saferl/base/y.cc": "#include <yaml-cpp/parser.h>\n"}, "keep one adapter file")
        self.caught("rooms", {"saferl/math/d.cc": "#include <gtest/gtest.h>\n"}, "outside of *_test.cc")
        self.caught("rooms", {"saferl/math/d.cc": '#include "../base/a.h"\n'}, "relative include")
        self.caught("rooms", {"saferl/math/d.cc": '#include "saferl/base/rt_guard/rt_guard.h"\n'}, "tests and benches")
        self.caught("rooms", {"saferl/base/d.cc": "#include <boost/asio.hpp>\n"}, "belongs into saferl/net/http_server.cc")
        net = {"CMakeLists.txt": CLEAN["CMakeLists.txt"] + "saferl_room(net ROOMS base)\n"}
        self.caught("rooms", net | {"saferl/net/d.cc": "#include <boost/asio.hpp>\n"}, "belongs into saferl/net")
        self.caught("rooms", net | {"saferl/net/d.h": "#include <boost/asio.hpp>\n"}, "in a header")
        inner = net | {"saferl/net/asio_names.h": "#include <boost/asio.hpp>\n"}
        self.caught("rooms", inner | {"saferl/net/d.cc": '#include "saferl/net/asio_names.h"\n'}, "only")
        listed = {f"saferl/net/{n}.cc": "#include <boost/asio.hpp>\n" for n in ("http_server", "request_reader", "d_test")}
        status, output = run(net | listed, "rooms")
        self.assertEqual(status, 0, output)
        status, output = run({"CMakeLists.txt": "saferl_room(base ROOMS math)\nsaferl_room(math ROOMS base)\n"}, "rooms")
        self.assertNotEqual(status, 0)
        self.assertIn("circle", output)

    def test_indirect_edge_is_allowed(self):
        status, output = run({"saferl/robot/d.cc": '#include "saferl/base/a.h"\n'}, "rooms")
        self.assertEqual(status, 0, output)

    def test_sizes(self):
        self.caught("sizes", {"saferl/math/big.cc": "\n" * 801}, "split it")
        self.caught("sizes", {"saferl/math/big.h": "\n" * 301}, "split it")
        status, output = run({"saferl/math/big.cc": "\n" * 501}, "sizes")
        self.assertEqual(status, 0)
        self.assertIn("warning", output)

    def test_requirements(self):
        self.caught("reqs", {"docs/safety.md": "| SR-001 | stops | Arm.Goes |\n"}, "does not exist")
        self.caught("reqs", {"docs/safety.md": "| SR-001 | stops | |\n"}, "names no test")
        self.caught("reqs", {"docs/safety.md": "| SR-001 | a | Arm.Stops |\n| SR-001 | b | Arm.Stops |\n"}, "also on line")
        self.caught("reqs", {"docs/safety.md": "# nothing\n"}, "no requirement")
        self.caught("reqs", {"docs/safety.md": None}, "missing")

    def test_links(self):
        self.caught("links", {"docs/x.md": "[a](gone.md)\n"}, "leads nowhere")
        self.caught("links", {"docs/x.md": "![a](../README.md#gone)\n"}, "no such heading")
        self.caught("links", {"docs/x.md": "[a](/etc/passwd)\n"}, "absolute")
        status, output = run({"docs/x.md": "```\n[a](gone.md)\n```\n"}, "links")
        self.assertEqual(status, 0, output)

    def test_measured(self):
        def readme(command):
            return {"docs/cli.md": "### saferl prove safety\n", "Makefile": "demo: build ## try it\n",
                    "README.md": f"## Measured\n\n| what | measured | command |\n|---|---|---|\n| x | 1 | {command} |\n\n## End\n"}
        for command in ("`build/bin/saferl prove safety --robot arm7`", "`make demo`", "`build/bin/math_bench --x`"):
            status, output = run(readme(command), "measured")
            self.assertEqual(status, 0, output)
        for command in ("`build/bin/saferl prove safely`", "`make tea`", "`build/bin/tea_bench`", "believe me"):
            self.caught("measured", readme(command), "is no command of this project")
        self.caught("measured", {**readme("`make demo`"), "README.md": "## Measured\n\n## End\n"}, "is empty")
        self.caught("measured", {}, "no '## Measured' section")

    def test_settings(self):
        field = '  v.Field("depth", c.depth, {.doc = "d"});\n'
        check = "Status C::Check() const {\n  return depth > c.depth ? A() : B();\n}\n"
        config = {"saferl/services/config.cc": field + check}
        self.caught("settings", config, "'depth' is read by nothing")
        self.caught("settings", {**config, "saferl/services/a_test.cc": "x = config.depth;\n"}, "'depth' is read by nothing")
        self.caught("settings", {**config, "saferl/services/a.cc": 'x = "a.depth";\n'}, "'depth' is read by nothing")
        status, output = run({**config, "saferl/services/a.cc": "x = config.depth;\n"}, "settings")
        self.assertEqual(status, 0, output)

    def test_metrics(self):
        area = {"saferl/telemetry/catalogue.h": "struct Loop {\n  Counter &ticks, &slips;\n  Gauge& Margin(size_t i);\n};\n"}
        ticks = {"saferl/services/a.cc": "loop.ticks.Add();\nloop.Margin(0).Set(1);\n"}
        self.caught("metrics", {**area, **ticks}, "'Loop.slips' is recorded by nothing")
        self.caught("metrics", {**area, **ticks, "saferl/services/a_test.cc": "loop.slips.Add();\n"}, "'Loop.slips' is recorded by nothing")
        status, output = run({**area, **ticks, "saferl/services/b.cc": "loop->slips.Add();\n"}, "metrics")
        self.assertEqual(status, 0, output)

    def test_changelog(self):
        self.caught("changelog", {"CHANGELOG.md": "# Changelog\n\n## [1.0.0]\n\n- x\n"}, "Unreleased")
        self.caught("changelog", {"CHANGELOG.md": "## [Unreleased]\n\n## [1.0.0]\n\n- x\n"}, "empty")
        self.caught("changelog", {"CHANGELOG.md": None}, "missing")

    def test_unknown_check_is_wrong_use(self):
        self.assertEqual(run({}, "formatting")[0], 2)


if __name__ == "__main__":
    unittest.main()
