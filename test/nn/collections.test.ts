import { nn, ones, zeros } from '../../lib';
import { ValueError } from '../../lib/errors';

const keys = (module: nn.Module): string[] => [...module.stateDict().keys()];
const linear = (): nn.Linear => new nn.Linear(1, 1, { bias: false });

describe('containers', () => {
  test('ModuleList holds modules by position', () => {
    const [a, b, c] = [linear(), linear(), linear()];
    const list = new nn.ModuleList([a]);
    list.append(c).insert(1, b);
    expect([...list]).toEqual([a, b, c]);
    expect(list).toHaveLength(3);
    expect(list.at(-1)).toBe(c);
    expect(keys(list)).toEqual(['0.weight', '1.weight', '2.weight']);
    list.set(-1, a);
    expect(list.at(2)).toBe(a);
    expect(list.extend([b, c])).toHaveLength(5);
    expect(() => list.append(3 as never)).toThrow(/ModuleList: item 5 is a module/);
    expect(() => list.extend([a, 3 as never])).toThrow(ValueError);
    expect(list).toHaveLength(5);
    expect(() => list.set(5, a)).toThrow(ValueError);
    expect(() => list.insert(7, a)).toThrow(ValueError);
  });

  test('ModuleDict holds modules by name, as it is', () => {
    const dict = new nn.ModuleDict({ leftArm: linear(), right_arm: linear() });
    expect(keys(dict)).toEqual(['leftArm.weight', 'right_arm.weight']);
    expect([...dict]).toEqual(['leftArm', 'right_arm']);
    const head = linear();
    dict.update(new Map([['head', head]]));
    expect(dict.get('head')).toBe(head);
    expect(dict.has('tail')).toBe(false);
    expect(dict.pop('head')).toBe(head);
    expect(dict.size).toBe(2);
    expect(() => dict.pop('head')).toThrow(/leftArm, right_arm, not head/);
    expect(() => dict.set('a.b', head)).toThrow(/without dots/);
    expect(() => dict.set('', head)).toThrow(ValueError);
    expect(() => dict.set('a', ones([1]) as never)).toThrow(ValueError);
    expect([...dict.values()]).toHaveLength(2);
    expect([...dict.entries()][0]![0]).toBe('leftArm');
    dict.clear();
    expect(keys(dict)).toEqual([]);
  });

  test('ParameterList and ParameterDict make parameters of tensors', () => {
    const own = new nn.Parameter(ones([2]));
    const list = new nn.ParameterList([own, zeros([3])]);
    expect(list.at(0)).toBe(own);
    expect(list.at(1)).toBeInstanceOf(nn.Parameter);
    expect(keys(list)).toEqual(['0', '1']);
    const dict = new nn.ParameterDict({ own, Other: zeros([3]) });
    expect(keys(dict)).toEqual(['own', 'Other']);
    expect([...dict.parameters()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expect(() => new nn.ParameterList([3 as never])).toThrow(ValueError);
    expect(() => new nn.ParameterDict({ a: 'b' as never })).toThrow(ValueError);
  });

  test('they are parts of the module that holds them', () => {
    class Net extends nn.Module {
      readonly blocks = new nn.ModuleList([linear(), linear()]);
      readonly heads = new nn.ModuleDict({ a: linear() });
      readonly scales = new nn.ParameterList([ones([1])]);
    }
    const net = new Net();
    expect(keys(net)).toEqual(['blocks.0.weight', 'blocks.1.weight', 'heads.a.weight', 'scales.0']);
    net.eval();
    expect(net.blocks.at(0)!.training).toBe(false);
  });

  test('Sequential grows, and gives parts of itself', () => {
    const model = new nn.Sequential(linear());
    model.append(new nn.ReLU()).extend([linear(), new nn.Tanh()]);
    expect(keys(model)).toEqual(['0.weight', '2.weight']);
    const tail = model.slice(2);
    expect(tail).toHaveLength(2);
    expect(tail.at(0)).toBe(model.at(2));
    expect(model.forward(ones([1, 1])).shape).toEqual([1, 1]);
    expect(() => model.append(3 as never)).toThrow(ValueError);
  });
});
