// Limits how often one field is selected under different names. Each name has a result of its own: with aliases, 5 KB select
// the body of a message 480 times, and one request signs in 120 guests.

import {
  type ASTVisitor,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** Names under which an object may have the same field. */
export const maxNames = 15;
/** Selections that are looked at in one operation. Fragments that spread each other expand to any number of them. */
const maxSelections = 20_000;
/** Levels that are looked at. cost.ts allows fewer. */
const maxLevels = 100;

/** Selections that together select the fields of one object. */
type Selections = readonly { readonly type: GraphQLCompositeType; readonly selectionSet: SelectionSetNode }[];

/** A validation rule. Reports an operation that selects a field of an object under more than `maxNames` names. */
export function sameFieldRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      const type = context.getSchema().getRootType(operation);
      const fault = type ? new SameFields(context).findFault([{ type, selectionSet }], 1) : undefined;
      if (fault !== undefined) context.reportError(new GraphQLError(fault));
    },
  };
}

/** Merges the selections of an object as the execution does: those of fragments, and those of fields with the same name. */
class SameFields {
  readonly #context: ValidationContext;
  readonly #schema: GraphQLSchema;
  #selectionsLeft = maxSelections;

  constructor(context: ValidationContext) {
    this.#context = context;
    this.#schema = context.getSchema();
  }

  /** The message for the first fault of the selections and of those inside them. Undefined if there is none. */
  findFault(selections: Selections, level: number): string | undefined {
    if (level > maxLevels) return `The operation is nested more than ${maxLevels} levels deep.`;
    /** By field, as Type.field: the names under which it is selected. */
    const names = new Map<string, Set<string>>();
    /** By name: the selections inside the field. */
    const inside = new Map<string, Selections[number][]>();
    const spread = new Set<string>();

    const collect = (type: GraphQLCompositeType, selectionSet: SelectionSetNode): void => {
      for (const selection of selectionSet.selections) {
        this.#selectionsLeft -= 1;
        if (this.#selectionsLeft < 0) return;
        if (selection.kind === Kind.FIELD) {
          const field = this.#schema.getField(type, selection.name.value);
          // introspection.ts limits the introspection.
          if (!field || field.name === '__schema' || field.name === '__type') continue;
          const name = selection.alias?.value ?? field.name;
          for (const of of this.#objectTypes(type)) addTo(names, `${of.name}.${field.name}`, name);
          const fieldType = getNamedType(field.type);
          if (!selection.selectionSet || !isCompositeType(fieldType)) continue;
          inside.set(name, [...(inside.get(name) ?? []), { type: fieldType, selectionSet: selection.selectionSet }]);
        } else if (selection.kind === Kind.INLINE_FRAGMENT) {
          collect(this.#typeOf(selection.typeCondition?.name.value) ?? type, selection.selectionSet);
        } else if (!spread.has(selection.name.value)) {
          spread.add(selection.name.value);
          const fragment = this.#context.getFragment(selection.name.value);
          const fragmentType = this.#typeOf(fragment?.typeCondition.name.value);
          if (fragment && fragmentType) collect(fragmentType, fragment.selectionSet);
        }
      }
    };
    for (const { type, selectionSet } of selections) collect(type, selectionSet);

    if (this.#selectionsLeft < 0) return `The operation expands to more than ${maxSelections} selections.`;
    for (const [field, { size }] of names) {
      if (size > maxNames) return `${field} is selected under ${size} names. The limit is ${maxNames}: use several operations.`;
    }
    for (const selectionsInside of inside.values()) {
      const fault = this.findFault(selectionsInside, level + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** The types that an object of this type may have. */
  #objectTypes(type: GraphQLCompositeType): readonly GraphQLCompositeType[] {
    return isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [type];
  }

  #typeOf(name: string | undefined): GraphQLCompositeType | undefined {
    const type = name === undefined ? undefined : this.#schema.getType(name);
    return isCompositeType(type) ? type : undefined;
  }
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const known = sets.get(key);
  if (known) known.add(value);
  else sets.set(key, new Set([value]));
}
