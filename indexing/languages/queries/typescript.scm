; What TypeScript adds to queries/javascript.scm.

[
  (abstract_class_declaration) (interface_declaration) (enum_declaration)
  (type_alias_declaration value: (object_type))
] @class

[
  (function_signature) (method_signature) (abstract_method_signature)
] @function

(type_alias_declaration) @alias
