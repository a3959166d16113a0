/**
 * Which elements and attributes a wrapper may have: the names of Galaxy's schema (galaxy.xsd), without its types. What
 * this node does with them is said elsewhere; this table is there to find slips of the pen.
 */

export interface Kind {
  attributes: ReadonlySet<string>;
  /** Child element → its kind. Undefined: whatever stands in it. */
  children: ReadonlyMap<string, string> | undefined;
}

/** Kind → attributes, children. `name:kind` where a child's kind is not named as the child. `*`: anything. */
const TABLE: Readonly<Record<string, readonly [attributes: string, children: string]>> = {
  tool: [
    'id name version hidden display_interface tool_type profile license python_template_version workflow_compatible URL_method require_login force_history_refresh refresh_on_change',
    'macros:any edam_topics edam_operations xrefs creator requirements required_files entry_points description:text icon parallelism version_command action environment_variables command expression request_param_translation configfiles outputs inputs tests stdio help code uihints options trackster_conf:any citations hidden:text',
  ],
  any: ['*', '*'],
  text: ['', ''],
  edam_topics: ['', 'edam_topic:text'],
  edam_operations: ['', 'edam_operation:text'],
  xrefs: ['', 'xref'],
  xref: ['type', ''],
  creator: ['', 'person organization'],
  person: [
    'name url identifier image address email telephone faxNumber alternateName givenName familyName honorificPrefix honorificSuffix jobTitle',
    '',
  ],
  organization: ['name url identifier image address email telephone faxNumber alternateName', ''],
  requirements: ['', 'requirement container resource credentials'],
  requirement: ['type version', ''],
  container: ['type', ''],
  resource: ['type', ''],
  credentials: ['name version label description optional', 'variable:credential secret:credential'],
  credential: ['name inject_as_env optional label description', ''],
  required_files: ['extend_default_excludes', 'include:file exclude:file'],
  file: ['type path', ''],
  entry_points: ['', 'entry_point'],
  entry_point: ['name label requires_domain requires_path_in_url requires_path_in_header_named', 'port:text url:text'],
  icon: ['src', ''],
  parallelism: ['method merge_outputs split_inputs split_size split_mode shared_inputs', ''],
  version_command: ['interpreter', ''],
  action: ['module class', ''],
  environment_variables: ['', 'environment_variable'],
  environment_variable: ['name inject strip', ''],
  command: ['detect_errors oom_exit_code use_shared_home interpreter strict', ''],
  expression: ['type', ''],
  request_param_translation: ['', 'request_param:any'],
  configfiles: ['', 'inputs:configInputs configfile file_sources:any'],
  configInputs: ['name filename data_style', ''],
  configfile: ['name filename', ''],
  stdio: ['', 'exit_code regex aggressive:any'],
  exit_code: ['range level description desc value', ''],
  regex: ['source sources src match level description desc', ''],
  help: ['format', ''],
  code: ['file', 'hook:any'],
  uihints: ['minwidth', ''],
  options: ['refresh sanitize', ''],
  citations: ['', 'citation'],
  citation: ['type', ''],
  inputs: [
    'action check_values method target nginx_upload',
    'param conditional repeat section display:any page:inputs upload_dataset:any',
  ],
  group: ['', 'param conditional repeat section display:any upload_dataset:any'],
  param: [
    'name argument type format value label help optional multiple min max truevalue falsevalue checked data_ref numerical accept_default use_header_names default_value load_contents collection_type refresh_on_change force_select hidden display hierarchy area size rgb dynamic_options allow_uri_if_protocol tag ftype from_file url_method minlength maxlength metadata_name keep_name_as',
    'conversion label:text help:text option options:dynamic validator sanitizer column:any default:any',
  ],
  conversion: ['name type', ''],
  option: ['value selected name', 'option options:optionGroup'],
  optionGroup: ['', 'option'],
  dynamic: [
    'from_dataset from_file from_data_table from_parameter from_url options_filter_attribute transform_lines startswith meta_file_key separator request_method request_headers request_body',
    'filter:dynamicFilter column:dynamicColumn validator file:text option postprocess_expression:any request_body:any request_headers:any',
  ],
  dynamicFilter: [
    'type column name ref key multiple separator keep value ref_attribute index data_ref meta_key reverse_sort_order remove_value',
    '',
  ],
  dynamicColumn: ['name index', ''],
  validator: [
    'type message negate check skip table_name filename metadata_name metadata_column line_startswith min max exclude_min exclude_max split substitute_value_in_message expression value columns',
    '*',
  ],
  sanitizer: ['sanitize invalid_char', 'valid mapping'],
  valid: ['initial', 'add remove'],
  mapping: ['initial', 'add remove'],
  add: ['value preset source target', ''],
  remove: ['value preset source', ''],
  conditional: ['name label value_from value_ref value_ref_in_group', 'param when'],
  when: ['value', 'param conditional repeat section display:any upload_dataset:any'],
  repeat: ['name title min max default help', 'param conditional repeat section'],
  section: ['name title expanded help', 'param conditional repeat section display:any'],
  outputs: ['provided_metadata_style provided_metadata_file', 'data collection output'],
  output: ['name type format from label hidden value', '*'],
  data: [
    'name auto_format format format_source default_identifier_source metadata_source label from_work_dir hidden precreate_directory count default_format',
    'filter:outputFilter change_format discover_datasets actions label:text',
  ],
  collection: [
    'name type label format format_source metadata_source default_identifier_source structured_like type_source inherit_format hidden auto_format',
    'data filter:outputFilter discover_datasets change_format label:text actions',
  ],
  outputFilter: ['', ''],
  change_format: ['', 'when:changeWhen'],
  changeWhen: ['input value format input_dataset attribute', ''],
  discover_datasets: [
    'from_provided_metadata pattern directory recurse match_relative_path format ext sort_by visible assign_primary_output name dbkey',
    '',
  ],
  actions: ['', 'action:outputAction conditional:actionConditional'],
  actionConditional: ['name', 'when:actionWhen'],
  actionWhen: ['value datatype_isinstance', 'action:outputAction conditional:actionConditional'],
  outputAction: ['type name default', 'option:actionOption'],
  actionOption: ['type name column offset param param_attribute', 'filter:actionFilter column:any'],
  actionFilter: ['type ref value column compare keep cast param_attribute name', ''],
  tests: ['', 'test'],
  test: [
    'expect_exit_code expect_num_outputs expect_failure expect_test_failure maxseconds num_outputs name',
    'param:testParam repeat:testRepeat conditional:testGroup section:testGroup credentials:any output:testOutput output_collection assert_command:assertions assert_stdout:assertions assert_stderr:assertions assert_command_version:assertions',
  ],
  testParam: [
    'name value values value_json ftype dbkey tags location checksum class src hash composite edit_attributes children',
    'collection:testCollection composite_data metadata:testMetadata edit_attributes',
  ],
  testGroup: ['name', 'param:testParam repeat:testRepeat conditional:testGroup section:testGroup'],
  testRepeat: ['name', 'param:testParam repeat:testRepeat conditional:testGroup section:testGroup'],
  testCollection: ['type name tags', 'element:testElement'],
  testElement: [
    'name value ftype dbkey tags location class checksum',
    'collection:testCollection composite_data metadata:testMetadata',
  ],
  composite_data: ['value ftype', ''],
  testMetadata: ['name value', ''],
  edit_attributes: ['type value', ''],
  testOutput: [
    'name file value value_json ftype sort md5 checksum compare lines_diff decompress delta delta_frac count location object metric eps pin_labels',
    'element:outputElement discovered_dataset extra_files metadata:testMetadata assert_contents:assertions',
  ],
  discovered_dataset: [
    'designation file value value_json ftype sort md5 checksum compare lines_diff decompress delta delta_frac count location metric eps pin_labels',
    'extra_files metadata:testMetadata assert_contents:assertions',
  ],
  extra_files: [
    'type name value file ftype sort md5 checksum compare lines_diff decompress delta delta_frac location metric eps pin_labels',
    'assert_contents:assertions',
  ],
  output_collection: ['name type count', 'element:outputElement metadata:testMetadata'],
  outputElement: [
    'name file value value_json ftype sort md5 checksum compare lines_diff decompress delta delta_frac count location metric eps pin_labels',
    'element:outputElement extra_files metadata:testMetadata assert_contents:assertions discovered_dataset',
  ],
  assertions: ['', '*'],
};

/** Assertions of tests; their attributes are many, and checked when the test runs. */
export const ASSERTIONS: ReadonlySet<string> = new Set(
  (
    'has_text not_has_text has_text_matching has_line has_line_matching has_n_lines has_n_columns has_size ' +
    'attribute_is attribute_matches element_text element_text_is element_text_matches has_element_with_path ' +
    'has_n_elements_with_path is_valid_xml xml_element has_json_property_with_text has_json_property_with_value ' +
    'has_h5_attribute has_h5_keys has_archive_member has_image_channels has_image_center_of_mass has_image_depth ' +
    'has_image_frames has_image_height has_image_mean_intensity has_image_mean_object_size has_image_n_labels ' +
    'has_image_width not_has_image_channels'
  ).split(' '),
);

export const KINDS: ReadonlyMap<string, Kind> = new Map(
  Object.entries(TABLE).map(([name, [attributes, children]]) => [
    name,
    { attributes: new Set(attributes.split(' ').filter(Boolean)), children: childrenOf(children) },
  ]),
);

function childrenOf(text: string): ReadonlyMap<string, string> | undefined {
  if (text === '*') return undefined;
  return new Map(
    text
      .split(' ')
      .filter(Boolean)
      .map((child) => {
        const [name = '', kind = name] = child.split(':');
        return [name, kind];
      }),
  );
}
