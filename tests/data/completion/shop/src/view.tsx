import { Customer, Order } from "./models";

interface Props {
  order: Order;
  select?: (customer: Customer) => void;
}

export function OrderView({ order, select }: Props) {
  const customers = [order.customer];
  return (
    <div className="it's">
      <p>Don't {order.total()}</p>
      //? name tags
      {customers.map((customer) => <b key={customer.‸}>x</b>)}
      //? total lines
      <i title={order.‸} />
    </div>
  );
}

export const Page = ({ order }: Props) => {
  //? total
  order.
  //? OrderView
  return <Order‸ />;
};
