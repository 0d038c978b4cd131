; What indexing/languages/python.py needs from one top-level statement, found in one pass.

(function_definition) @function
(class_definition) @class
(decorated_definition) @decorated

(import_statement) @import
(import_from_statement) @import
(future_import_statement) @import

(assignment) @assignment
(augmented_assignment) @augmented
(type_alias_statement) @alias

(try_statement) @try
(if_statement) @if

; `receiver.name`
(attribute) @attribute

; calls whose callee has a name: the callee's last byte and the arguments
(call function: [(identifier) (attribute)] @callee arguments: (_) @arguments)
