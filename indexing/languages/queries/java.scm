; What indexing/languages/java.py needs from one part of a file, found in one pass.

[
  (class_declaration) (interface_declaration) (enum_declaration) (record_declaration)
  (annotation_type_declaration)
] @class

[
  (method_declaration) (constructor_declaration) (compact_constructor_declaration)
  (annotation_type_element_declaration)
] @function

; classes without a name: what they define is not listed as the enclosing definition's
(object_creation_expression (class_body)) @anonymous
(enum_constant body: (class_body)) @anonymous

(assignment_expression left: (field_access object: (this))) @assignment

; `receiver.name`, `receiver.name(...)`, `receiver::name`
(field_access) @attribute
(method_invocation) @call
(method_reference) @attribute
(object_creation_expression) @call
