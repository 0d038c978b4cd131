import Store, { CustomerRepository, OrderRepository, Repository, connect, settings } from "./store";
import * as models from "./models";
import { Address, Audience, Customer, Level, Line, Order, Point } from "./models";
import { Client, format } from "./util";

function save(address: Address): void {}

class Shelf {
  constructor(size: number, first: Line) {}
}

const shop = new Store(undefined as any);

export async function receivers(order: Order, maybe?: Customer, point: Point, to: Audience) {
  //? lines customer total first !name
  order.
  //? name tags address orders initials id touch !lines !secret !created
  order.customer.
  //? name
  maybe?.na
  //? x y
  point.
  //? name
  to.
  //? open customers ordersOf !orders
  shop.
  //? find cache
  shop.customers.
  //? open
  shop.open().open().
  //? Customer Order Level
  models.
  //? created create !tags
  Customer.
  //? name initials
  Customer.create("a").
  //? name
  new Client("a", Level.Gold).
  //? Basic Gold
  Level.
  //? retries owner describe
  settings.
  //? name tags
  settings.owner.
  //? name
  new models.Customer("a", 1).
  //? toUpperCase trim
  format("a").
  //? name tags
  connect(Customer).
}

export async function containers(list: Customer[], repository: OrderRepository) {
  //? map filter length
  list.
  //? name
  list[0].
  //? name
  list.find((each) => each.id)!.
  //? name
  list.map((each) => each.‸)
  //? total
  list.map((each) => each.orders()[0]).filter((o) => o.‸)
  //? street
  list.map((each) => each.address).forEach((a) => a.‸)
  for (const one of list) {
    //? name tags
    one.
  }
  //? total
  (await repository.latest()).
  //? then catch
  repository.latest().
  const found = await repository.find("1");
  //? lines total
  found.
  const all = await repository.all();
  //? total
  all[0].
  //? total
  repository.each((item) => item.‸)
  //? total
  repository.latest().then((latest) => latest.‸)
  //? product quantity
  found.lines.get("a").
  found.lines.forEach((line, key) => {
    //? product
    line.
    //? toUpperCase
    key.
  });
  for (const [key, line] of found.lines) {
    //? quantity
    line.
    //? split
    key.
  }
  const { customer, lines: byName } = found;
  //? name
  customer.
  //? get set has
  byName.
  const [first] = all;
  //? total
  first.
}

function values(a: unknown, b: string | null, { customer }: Order, ...rest: Customer[]) {
  //? name
  customer.
  //? name
  rest[0].
  //? lines
  (a as Order).
  //? padStart
  b!.
  if (a instanceof Customer && a.name) {
    //? name tags
    a.
  }
  const either = a ? new Customer("a", 1) : null;
  //? tags
  either.
  const other = null ?? settings.owner;
  //? tags
  other.
  const text = `a ${customer.name}`;
  //? trim
  text.
  //? name
  const inHole = `${customer.‸}`;
  let late;
  late = new Order();
  //? total
  late.
}

class Basket extends Customer {
  private orders2: Order[] = [];
  #count = 0;
  readonly store = new Store(undefined as any);
  constructor(private line: Line, order: Order) {
    super("a", 1);
    this.current = order;
    //? name touch
    super.
  }
  total() {
    //? orders2 #count store line current name total !secret
    this.
    //? total
    this.orders2[0].
    //? product
    this.line.
    //? total lines
    this.current.
    //? open
    this.store.
    this.orders2.forEach((order) => {
      //? total
      order.
    });
    const inner = () => {
      //? product
      this.line.
    };
    //? Basic Gold
    const chosen = Level.‸;
    //? id name
    this.touch().
  }
}

export const arrow = (order: Order): void => {
  //? total
  if (order.‸
};

export function keys(line: Line, other: string) {
  //? street city other
  save({ ‸ });
  //? city !street
  save({ street: "a", ‸ });
  //? quantity !product
  new Shelf(1, { product, ‸
  //? !city other
  save({ street: ‸ });
}
