import { Customer, Order } from "./models";

export interface Repository<T> {
  find(id: string): Promise<T>;
  all(): Promise<T[]>;
  each(callback: (item: T, index: number) => void): void;
}

export class CustomerRepository implements Repository<Customer> {
  cache = new Map<string, Customer>();
  find(id: string): Promise<Customer> {
    throw new Error(id);
  }
}

export interface OrderRepository extends Repository<Order> {
  latest(): Promise<Order | null>;
}

export function connect<T>(make: new () => T): T {
  return new make();
}

export const settings = {
  retries: 3,
  owner: Customer.create("x"),
  describe(): string {
    return "";
  },
};

export default class Store {
  customers = new CustomerRepository();
  constructor(private orders: OrderRepository) {}
  open(): Store {
    return this;
  }
  ordersOf(): OrderRepository {
    return this.orders;
  }
}
