; What indexing/languages/javascript.py needs from one part of a file, found in one pass. Only nodes
; that both JavaScript and TypeScript know; queries/typescript.scm has the others.

[
  (class_declaration) (class)
] @class

[
  (function_declaration) (generator_function_declaration)
  (function_expression) (generator_function) (arrow_function) (method_definition)
] @function

; functions and classes that get their name from what they are assigned to
(variable_declarator value: [
  (arrow_function) (function_expression) (generator_function) (class)
]) @named

(assignment_expression left: (member_expression object: (this))) @assignment

; require("m"), require("m").name
(variable_declarator value: (call_expression function: (identifier))) @require
(variable_declarator value: (member_expression
  object: (call_expression function: (identifier)))) @require

; `receiver.name`
(member_expression) @attribute

; calls whose callee has a name: the callee's last byte and the arguments
(call_expression function: [(identifier) (member_expression)] @callee arguments: (arguments) @arguments)
(new_expression constructor: [(identifier) (member_expression)] @callee arguments: (arguments) @arguments)
