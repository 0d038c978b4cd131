import { Customer } from "./models";
const { format } = require("./util");

/**
 * @param {Customer} customer
 */
export function documented(customer, other) {
  //? name tags
  customer.
  /** @type {Customer} */
  const typed = other;
  //? name
  typed.
  const util = require("./util");
  //? Client format
  util.
}
