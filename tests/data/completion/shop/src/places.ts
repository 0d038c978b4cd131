import { connect } from "./store";
//? Customer Order Point
import { ‸ } from "./models";
//? models store util view
import { format } from "./‸";
//? index
import { Client } from "./util/‸";
//? Client CustomerRepository format
import { ‸ } from "./util";

//? anything
// order.‸ is a comment
//? anything
const text = "order.‸";

//? anything
const number = 12‸;

export function places(order: string, count: number) {
  const local = 1;
  //? local order count connect places return const
  ‸
  //? local !order !return
  const more = l‸;
  //? connect
  connect(con‸)
  //? Customer
  const typed: Custo‸ = null;
  //? Customer
  const made = new Cust‸;
  //? order
  const object = { a: or‸ };
  //? anything
  const ord‸
}

//? Customer
class Special extends Custo‸ {}
