"use strict";
var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __getProtoOf = Object.getPrototypeOf;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  // file that has been converted to a CommonJS file using a Babel-
  // compatible transform (i.e. "__esModule" has not been set), then set
  // "default" to the CommonJS "module.exports" for node compatibility.
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod, enumerable: true }) : target,
  mod
));

// src/test/server.test.ts
var import_strict = __toESM(require("node:assert/strict"));
var import_node_os2 = require("node:os");
var import_node_path2 = require("node:path");
var import_node_test = require("node:test");

// src/server.ts
var import_node_os = require("node:os");
var import_node_path = require("node:path");
function serverCommand(path, environment) {
  const names = Object.keys(environment).filter((name) => name.toUpperCase().startsWith("PYTHON"));
  const removed = Object.fromEntries(names.map((name) => [name, void 0]));
  return {
    command: expanded(path.trim()) || "lancefill",
    args: ["serve"],
    env: { ...removed, PYTHONUTF8: "1" }
  };
}
function expanded(path) {
  return path.startsWith("~/") ? (0, import_node_path.join)((0, import_node_os.homedir)(), path.slice(2)) : path;
}
function statusText(status) {
  if (status.busy) {
    return "$(sync~spin) Lancefill";
  }
  const icons = {
    Normal: "$(check)",
    Warning: "$(warning)",
    Error: "$(error)",
    Inactive: "$(circle-slash)"
  };
  return `${icons[status.kind]} Lancefill`;
}
function reasonText(reason) {
  if (reason.code === "superseded" || reason.code === "cancelled") {
    return void 0;
  }
  const feature = { popup: "No popup", ghost: "No ghost text" }[reason.feature];
  return `${feature}: ${reason.message}`;
}
function logEntry(line) {
  const [, name = "", text = ""] = /^[-\d]+ [:,\d]+ ([A-Z]+) (.*)$/.exec(line) ?? [];
  const level = LEVELS[name];
  return level === void 0 ? { level: "error", text: line } : { level, text };
}
var LEVELS = {
  CRITICAL: "error",
  ERROR: "error",
  WARNING: "warn",
  INFO: "info",
  DEBUG: "debug"
};
function coalesced(action) {
  let running;
  let next;
  const start = () => {
    const run = action().finally(() => {
      running = void 0;
    });
    running = run;
    return run;
  };
  return () => {
    if (running === void 0) {
      return start();
    }
    next ??= running.catch(() => void 0).then(() => {
      next = void 0;
      return start();
    });
    return next;
  };
}

// src/test/server.test.ts
(0, import_node_test.describe)("serverCommand", () => {
  (0, import_node_test.it)("starts the executable on PATH when no path is set", () => {
    const { command, args } = serverCommand("", {});
    import_strict.default.equal(command, "lancefill");
    import_strict.default.deepEqual(args, ["serve"]);
  });
  (0, import_node_test.it)("starts the executable that is set, spaces around it forgiven", () => {
    import_strict.default.equal(serverCommand(" /opt/my tools/lancefill ", {}).command, "/opt/my tools/lancefill");
    import_strict.default.equal(serverCommand("~/bin/lancefill", {}).command, (0, import_node_path2.join)((0, import_node_os2.homedir)(), "bin/lancefill"));
  });
  (0, import_node_test.it)("takes away what could put foreign modules before ours, and keeps the rest", () => {
    const { env } = serverCommand("", {
      PYTHONPATH: "/workspace",
      PythonHome: "/elsewhere",
      VIRTUAL_ENV: "/workspace/.venv"
    });
    import_strict.default.deepEqual(env, { PYTHONPATH: void 0, PythonHome: void 0, PYTHONUTF8: "1" });
  });
});
(0, import_node_test.describe)("statusText", () => {
  (0, import_node_test.it)("shows that the server is busy before anything else", () => {
    import_strict.default.match(statusText({ kind: "Warning", busy: true, message: "indexing" }), /sync~spin/);
    import_strict.default.match(statusText({ kind: "Warning", busy: false, message: "no model" }), /warning/);
  });
});
(0, import_node_test.describe)("reasonText", () => {
  (0, import_node_test.it)("says why there is no suggestion", () => {
    const message = "the model is 21 % sure";
    import_strict.default.equal(
      reasonText({ feature: "ghost", code: "low-confidence", message }),
      "No ghost text: the model is 21 % sure"
    );
  });
  (0, import_node_test.it)("says nothing about what happens at every keystroke", () => {
    import_strict.default.equal(reasonText({ feature: "popup", code: "superseded", message: "" }), void 0);
  });
});
(0, import_node_test.describe)("logEntry", () => {
  (0, import_node_test.it)("takes the level from the line", () => {
    const line = "2026-11-23 14:23:29,044 WARNING lsp_server.processes: jedi ended (1)";
    import_strict.default.deepEqual(logEntry(line), {
      level: "warn",
      text: "lsp_server.processes: jedi ended (1)"
    });
  });
  (0, import_node_test.it)("takes what no logger wrote for an error", () => {
    const line = '  File "server.py", line 27, in main';
    import_strict.default.deepEqual(logEntry(line), { level: "error", text: line });
    import_strict.default.equal(logEntry("2026-11-23 14:23:29,044 NOTICE x: y").level, "error");
  });
});
(0, import_node_test.describe)("coalesced", () => {
  (0, import_node_test.it)("runs one action at a time, and once more for all that came meanwhile", async () => {
    const releases = [];
    let running = 0;
    let most = 0;
    const run = coalesced(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => releases.push(resolve));
      running -= 1;
    });
    const first = run();
    const burst = [run(), run(), run()];
    releases[0]?.();
    await first;
    await new Promise(setImmediate);
    releases[1]?.();
    await Promise.all(burst);
    import_strict.default.equal(releases.length, 2);
    import_strict.default.equal(most, 1);
  });
  (0, import_node_test.it)("runs again after a failure", async () => {
    let runs = 0;
    const run = coalesced(() => {
      runs += 1;
      return runs === 1 ? Promise.reject(new Error("did not start")) : Promise.resolve();
    });
    await import_strict.default.rejects(run());
    await run();
    import_strict.default.equal(runs, 2);
  });
});
